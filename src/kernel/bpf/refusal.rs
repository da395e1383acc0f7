//! Why an interface would refuse the program, as far as that shows without attaching it. Takes interfaces; gives errors.
//! Must not change an interface: a driver may reset its queues when a program is attached.

use crate::capture::network::{Link, Network, XdpPlace, xdp_place};
use crate::kernel::leftovers;
use crate::kernel::{Config, Daq, Error, TcHook};
use crate::os::namespace_lock::{LockFailure, NamespaceLock};
use crate::os::traffic_control::interface_exists;

/// Checks that the program could be attached to an interface. Whether its driver has native XDP shows only at the start.
///
/// # Errors
/// The reason why it could not.
pub fn check_interface(config: &Config, index: u32, name: &str) -> Result<(), Error> {
    check_kind(index, name)?;
    match (config.daq, config.tc_hook) {
        (Daq::Xdp, _) => match xdp_lock(index) {
            Err(LockFailure::Held(process)) => Err(xdp_in_use(name, process)),
            _ => match xdp_place(name) {
                Ok(Some(place)) => Err(Error::Occupied { name: name.to_owned(), place: place.word() }),
                _ => Ok(()),
            },
        },
        (Daq::Tc, TcHook::Clsact) => match leftovers::lock(index) {
            Err(LockFailure::Held(process)) => Err(clsact_in_use(name, process)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Checks that an interface exists and carries Ethernet frames.
pub(super) fn check_kind(index: u32, name: &str) -> Result<(), Error> {
    if !interface_exists(index) {
        return Err(Error::Attach { name: name.to_owned(), reason: "no such interface".to_owned() });
    }
    let is_ethernet = has(index, |link| link.ethernet).unwrap_or(true);
    if is_ethernet { Ok(()) } else { Err(Error::NotEthernet { name: name.to_owned() }) }
}

/// True for the loopback interface.
pub(super) fn is_loopback(index: u32) -> bool {
    has(index, |link| link.loopback).unwrap_or(false)
}

/// The quality of a link in this network namespace; none if the kernel does not tell. (/sys may be that of another one.)
fn has(index: u32, quality: impl Fn(&Link) -> bool) -> Option<bool> {
    Network::read().ok()?.link(index).map(quality)
}

/// The lock that names the process whose program is at XDP.
pub(super) fn xdp_lock(index: u32) -> Result<NamespaceLock, LockFailure> {
    NamespaceLock::take(&format!("trafficmonitor/xdp/{index}"))
}

/// The word of ip-link(8) for the place of another XDP program.
pub(super) fn occupied_place(name: &str) -> &'static str {
    xdp_place(name).ok().flatten().map_or("xdp", XdpPlace::word)
}

pub(super) fn xdp_in_use(name: &str, process: Option<u32>) -> Error {
    in_use(name, process, "XDP", "tc")
}

pub(super) fn clsact_in_use(name: &str, process: Option<u32>) -> Error {
    in_use(name, process, "clsact", "tc --tc.hook tcx (Linux 6.6 or later), or -daq libpcap")
}

fn in_use(name: &str, process: Option<u32>, way: &'static str, other: &'static str) -> Error {
    let process = process.map_or_else(|| "its number is unknown".to_owned(), |process| format!("process {process}"));
    Error::InUse { name: name.to_owned(), process, way, other }
}
