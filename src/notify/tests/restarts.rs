//! Tests of restarts.
