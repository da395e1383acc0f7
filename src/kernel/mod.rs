//! The kernel path: a program at XDP or TC counts packets in maps, and drops them if that is asked for. Takes
//! interfaces and networks; gives the rows, sums and messages of an interval. Must not know threads or the ledger.
//!
//! Built with the feature `xdp`. Without it, [`Kernel::load`] says so.

#![allow(unsafe_code)]

#[cfg(feature = "xdp")]
mod bpf;
mod config;
mod counted;
mod error;
pub mod leftovers;
pub mod lockout;
#[cfg(not(feature = "xdp"))]
mod without;

#[cfg(feature = "xdp")]
pub use bpf::{Kernel, check_interface, check_rights};
pub use config::{Config, Daq, TcHook, XdpMode};
pub use counted::{
    CountedRow, InterfaceInterval, InterfaceTotals, KernelInterval, KernelMessage, KernelViolation, OverflowSum,
};
pub use error::Error;
#[cfg(not(feature = "xdp"))]
pub use without::{Unbuilt as Kernel, check_interface, check_rights};
