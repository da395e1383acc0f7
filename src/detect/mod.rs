//! Traffic → what is worth an alert.
//!
//! One detector a file or folder, each a pure function of what was counted and of packet time, which is an argument: the
//! same traffic gives the same findings, whatever the speed. Nothing here knows how a finding becomes an alert.

pub mod anomaly;
