//! Alerts and addresses for the tests of the room.

use std::net::{IpAddr, Ipv4Addr};

use crate::alert::tests::alert;
use crate::alert::{Alert, Severity, Side};
use crate::detect::{Figures, Kind, Subject};

pub(super) fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))
}

/// A firing alert for information, about a subject outside.
pub(super) fn firing(kind: Kind, subject: Subject, figures: Figures) -> Alert {
    let rule = kind.label().into();
    Alert { rule, severity: Severity::Info, side: Side::Outside, ..alert(kind, subject, figures) }
}
