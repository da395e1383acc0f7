//! trafficmonitor: a Prometheus exporter backed by libpcap.
//!
//! The rooms stand in the order in which data meets them; a room imports rooms above it only
//! (ARCHITECTURE.md, checked by `tests/layering.rs`).

pub mod packet;

pub mod os;
pub mod tables;
pub mod time_grid;

pub mod services;

pub mod capture;
pub mod decode;
pub mod locality;
pub mod policy;

pub mod account;
pub mod names;

pub mod detect;

pub mod alert;

pub mod events;

pub mod evidence;
pub mod history;
pub mod kernel;
pub mod notify;

pub mod export;

pub mod http;

pub mod pipeline;

pub mod config;

pub mod cli;

pub mod app;
