//! Tests of the history: sums, heavy rows, gaps, clocks that are set, memory.
