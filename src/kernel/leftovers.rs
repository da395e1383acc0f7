//! Filters of this program on a clsact qdisc that a killed process left behind. Takes the kernel's numbers of interfaces;
//! removes such filters, and gives the lock that guards those of a running process. Must not know the program's maps.
//!
//! Links of XDP and TCX are descriptors and end with their process. Filters and the qdisc stay, so they bear marks: the
//! name and the handle of a filter. The handle also tells whether this program made the qdisc.

use std::io;

use crate::os::namespace_lock::{LockFailure, NamespaceLock};
use crate::os::traffic_control::{ClsactHook, TcFilter, filters, remove_clsact, remove_filter};

/// Handles of filters: "tm", and whether this program made the qdisc.
const ON_OWN_QDISC: u32 = 0x746d_0001;
const ON_FOREIGN_QDISC: u32 = 0x746d_0002;

/// The program of a hook, which is also the name of its filter.
pub(super) const fn program(hook: ClsactHook) -> &'static str {
    match hook {
        ClsactHook::Ingress => "tm_ingress",
        ClsactHook::Egress => "tm_egress",
    }
}

/// The handle of a filter.
#[cfg(feature = "xdp")]
pub(super) const fn handle(is_qdisc_own: bool) -> u32 {
    if is_qdisc_own { ON_OWN_QDISC } else { ON_FOREIGN_QDISC }
}

fn is_marked(filter: &TcFilter, hook: ClsactHook) -> bool {
    let is_known = matches!(filter.handle, ON_OWN_QDISC | ON_FOREIGN_QDISC);
    is_known && filter.program.as_deref() == Some(program(hook))
}

/// Takes the lock of an interface. The process that has it may add and remove filters of this program.
pub(super) fn lock(interface: u32) -> Result<NamespaceLock, LockFailure> {
    NamespaceLock::take(&format!("trafficmonitor/clsact/{interface}"))
}

/// The same; waits a moment, because a process may have the lock only to remove what a killed one left behind.
#[cfg(feature = "xdp")]
pub(super) fn lock_patiently(interface: u32) -> Result<NamespaceLock, LockFailure> {
    const ATTEMPTS: usize = 10;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(30);
    for _ in 1..ATTEMPTS {
        match lock(interface) {
            Err(LockFailure::Held(_)) => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
    lock(interface)
}

/// Removes the filters that a killed process left on an interface, and its qdisc if no other filter is on it. Does
/// nothing while a process with such filters runs, or without the right to do so.
pub fn remove(interface: u32, name: &str) {
    if !has_marked(interface) {
        return;
    }
    match lock(interface) {
        Ok(_lock) => {
            if let Err(error) = remove_locked(interface, name) {
                tracing::debug!(interface = name, %error, "filters that an earlier process left behind stay");
            }
        }
        Err(_) => tracing::debug!(interface = name, "the filters of another process stay"),
    }
}

fn has_marked(interface: u32) -> bool {
    let of = |hook| filters(interface, hook).unwrap_or_default();
    ClsactHook::ALL.into_iter().any(|hook| of(hook).iter().any(|filter| is_marked(filter, hook)))
}

/// Removes the filters that a killed process left behind. True if the qdisc that it made stays, because another filter
/// is on it. This process has the lock.
pub(super) fn remove_locked(interface: u32, name: &str) -> io::Result<bool> {
    let mut removed = Vec::new();
    for hook in ClsactHook::ALL {
        for filter in filters(interface, hook)?.into_iter().filter(|filter| is_marked(filter, hook)) {
            remove_filter(interface, hook, &filter)?;
            removed.push(filter);
        }
    }
    if removed.is_empty() {
        return Ok(false);
    }
    tracing::info!(interface = name, "removed the filters that an earlier process left behind");
    let is_qdisc_own = removed.iter().any(|filter| filter.handle == ON_OWN_QDISC);
    Ok(is_qdisc_own && !remove_empty_qdisc(interface)?)
}

/// Removes the qdisc of an interface if no filter is on it; true if it is removed.
pub(super) fn remove_empty_qdisc(interface: u32) -> io::Result<bool> {
    for hook in ClsactHook::ALL {
        if !filters(interface, hook)?.is_empty() {
            return Ok(false);
        }
    }
    remove_clsact(interface).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_is_known_by_its_name_and_its_handle() {
        let filter =
            |program: Option<&str>, handle| TcFilter { program: program.map(str::to_owned), handle, priority: 1 };
        for handle in [ON_OWN_QDISC, ON_FOREIGN_QDISC] {
            assert!(is_marked(&filter(Some("tm_ingress"), handle), ClsactHook::Ingress));
            assert!(!is_marked(&filter(Some("tm_ingress"), handle), ClsactHook::Egress));
            assert!(!is_marked(&filter(Some("other"), handle), ClsactHook::Ingress));
            assert!(!is_marked(&filter(None, handle), ClsactHook::Ingress));
        }
        assert!(!is_marked(&filter(Some("tm_ingress"), 1), ClsactHook::Ingress));
    }
}
