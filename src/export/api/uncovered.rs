//! The reasons why coverage is not known, in a sentence. Takes the captured interfaces; gives a line of text. Must not know
//! how coverage is measured.

use super::words::listed;
use crate::account::snapshot::{Capture, CoverageObstacle, InterfaceEntry};

/// The sentence about interfaces of which none has a known coverage. It names those that have the obstacle of the first.
pub(super) fn sentence(captured: &[(&InterfaceEntry, Capture)]) -> String {
    if captured.iter().any(|(_, capture)| capture.coverage.is_comparable) {
        return "Coverage is not known yet: no captured interface has counted a packet since the start.".to_owned();
    }
    let Some(obstacle) = captured.iter().find_map(|(_, capture)| capture.coverage.obstacle) else {
        return "Coverage is not known yet: no interface was compared with the capture so far.".to_owned();
    };
    if obstacle == CoverageObstacle::AllInterfaces {
        return "Coverage cannot be measured with -iface any; name the interfaces with -iface to measure it."
            .to_owned();
    }
    let with_it = captured.iter().filter(|(_, capture)| capture.coverage.obstacle == Some(obstacle));
    let names: Vec<&str> = with_it.map(|(interface, _)| interface.name.as_str()).collect();
    let others = if names.len() == captured.len() { "" } else { ", nor on the others" };
    format!("Coverage cannot be measured on {} ({}){others}.", listed(&names), reason(obstacle))
}

/// The reason in words that stand in parentheses.
const fn reason(obstacle: CoverageObstacle) -> &'static str {
    match obstacle {
        CoverageObstacle::AllInterfaces => "one capture of all interfaces",
        CoverageObstacle::Filter => "a filter leaves packets out",
        CoverageObstacle::Workers => "several workers share the packets",
        CoverageObstacle::Down => "down since the capture started",
        CoverageObstacle::Offloads => {
            "TSO, GSO, GRO or LRO is on, which joins or splits packets between interface and capture"
        }
        CoverageObstacle::Xdp => "an XDP program may take packets away",
        CoverageObstacle::Unanswered => "the kernel does not say whether packets are joined, split or taken away",
        CoverageObstacle::KernelPath => "packets are counted in the kernel, not captured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::snapshot::Coverage;

    /// The sentence about interfaces with these obstacles.
    fn about(interfaces: &[(&str, Option<CoverageObstacle>)]) -> String {
        let captured = |&(name, obstacle): &(&str, Option<CoverageObstacle>)| {
            let capture = Capture { coverage: Coverage { obstacle, ..Coverage::default() }, ..Capture::default() };
            (InterfaceEntry { name: name.to_owned(), ..InterfaceEntry::default() }, capture)
        };
        let captured: Vec<_> = interfaces.iter().map(captured).collect();
        sentence(&captured.iter().map(|(interface, capture)| (interface, *capture)).collect::<Vec<_>>())
    }

    #[test]
    fn reason_is_named_with_its_interfaces() {
        use CoverageObstacle::{AllInterfaces, Filter, Offloads, Xdp};
        let offloads = "TSO, GSO, GRO or LRO is on, which joins or splits packets between interface and capture";
        for (interfaces, expected) in [
            (
                &[("any", Some(AllInterfaces))][..],
                "Coverage cannot be measured with -iface any; name the interfaces with -iface to measure it."
                    .to_owned(),
            ),
            (&[("eth0", Some(Offloads))], format!("Coverage cannot be measured on eth0 ({offloads}).")),
            (
                &[("a", Some(Filter)), ("b", Some(Filter)), ("c", Some(Filter))],
                "Coverage cannot be measured on a, b and 1 more (a filter leaves packets out).".to_owned(),
            ),
            (
                &[("a", None), ("b", Some(Xdp)), ("c", Some(Offloads))],
                "Coverage cannot be measured on b (an XDP program may take packets away), nor on the others."
                    .to_owned(),
            ),
            (
                &[("a", None)],
                "Coverage is not known yet: no interface was compared with the capture so far.".to_owned(),
            ),
        ] {
            assert_eq!(about(interfaces), expected);
        }
    }
}
