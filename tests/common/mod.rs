//! Shared by the tests: frames built layer by layer, capture files written by hand, a second reader of frames, and
//! the program run over a capture.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod agreement;
pub mod client;
pub mod compress;
pub mod control_group;
pub mod corpus;
pub mod crasher;
pub mod event_log;
pub mod exporter;
pub mod exposition;
pub mod flows;
pub mod generate;
pub mod golden;
pub mod grafana;
pub mod hand;
pub mod ip;
pub mod journal_input;
pub mod labels;
pub mod link;
pub mod memory;
pub mod metrics;
pub mod mix;
pub mod monitor;
pub mod namespace;
pub mod openapi;
pub mod outputs;
pub mod pcapng;
pub mod replay;
pub mod savefile;
pub mod spoof;
pub mod webhook;
pub mod xdp;
