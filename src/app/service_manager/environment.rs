//! The variables by which a service manager says how it is notified. Takes their values; gives an address and a time.
//! Must not send anything.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

use crate::capture::printable;

/// The address in `NOTIFY_SOCKET`: a path, or `@` and an abstract name. Others, such as `vsock:`, cannot be used.
pub(super) fn address(given: &OsStr) -> Option<SocketAddr> {
    let address = match given.as_bytes() {
        [b'/', _, ..] => SocketAddr::from_pathname(given),
        [b'@', name @ ..] if !name.is_empty() => SocketAddr::from_abstract_name(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor @ and a name")),
    };
    let warn = |error: &io::Error| {
        let given = given.to_string_lossy();
        tracing::warn!(%error, given = %printable(&given), "NOTIFY_SOCKET cannot be used, so the service manager is not notified");
    };
    address.inspect_err(warn).ok()
}

/// An address as the variable has it.
pub(super) fn shown(address: &SocketAddr) -> String {
    let name = || address.as_abstract_name().map(|name| format!("@{}", String::from_utf8_lossy(name)));
    let path = address.as_pathname().map(|path| path.display().to_string());
    printable(&path.or_else(name).unwrap_or_default()).to_string()
}

/// The watchdog's time, as sd_watchdog_enabled(3) reads it: none if it is no time, or meant for another process.
pub(super) fn watchdog(microseconds: Option<&OsStr>, of_process: Option<&OsStr>, process: u32) -> Option<Duration> {
    let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
    let microseconds = number(microseconds?).filter(|&microseconds| microseconds > 0 && microseconds < u64::MAX)?;
    let is_ours = of_process.is_none_or(|of_process| number(of_process) == Some(u64::from(process)));
    is_ours.then(|| Duration::from_micros(microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(microseconds: &str, process: Option<&str>) -> Option<Duration> {
        watchdog(Some(OsStr::new(microseconds)), process.map(OsStr::new), 7)
    }

    #[test]
    fn watchdog_is_that_of_this_process_and_a_time() {
        assert_eq!(watched("30000000", None), Some(Duration::from_secs(30)));
        assert_eq!(watched("30000000", Some("7")), Some(Duration::from_secs(30)));
        for process in ["8", "", "-7", "seven", "7 "] {
            assert_eq!(watched("30000000", Some(process)), None, "{process}");
        }
        for microseconds in
            ["", "0", "-1", "1.5", "30s", " 1", "18446744073709551615", "18446744073709551616", "\u{e9}"]
        {
            assert_eq!(watched(microseconds, Some("7")), None, "{microseconds}");
        }
        assert_eq!(watchdog(None, Some(OsStr::new("7")), 7), None);
    }

    #[test]
    fn address_is_a_path_or_an_abstract_name() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname().unwrap().to_str(), Some("/run/systemd/notify"));
        assert_eq!(address(OsStr::new("@/a/notify")).unwrap().as_abstract_name(), Some(&b"/a/notify"[..]));
        let long = format!("/{}", "a".repeat(200));
        for nonsense in ["/", "@", "run/notify", "vsock:2:1234", "eth0", &long, &long.replacen('/', "@", 1)] {
            assert!(address(OsStr::new(nonsense)).is_none(), "{nonsense}");
        }
        assert!(address(OsStr::from_bytes(b"/run/\xff")).is_some());
    }
}
