//! IANA's table of ports, as an index by port number. Takes the text of the table; gives names by number. Must not
//! know protocols other than TCP and UDP.

use std::sync::LazyLock;

/// `port<TAB>TCP name<TAB>UDP name`, one line a port; an empty name stands for none.
const PORTS: &str = include_str!("ports.tsv");

/// Both tables; 128 KiB of index each and the names that they point to.
pub(super) static TABLES: LazyLock<PortTables> = LazyLock::new(|| PortTables::parse(PORTS));

pub(super) struct PortTables {
    pub(super) tcp: PortNames,
    pub(super) udp: PortNames,
}

impl PortTables {
    fn parse(text: &'static str) -> Self {
        let mut tables = Self { tcp: PortNames::new(), udp: PortNames::new() };
        for (port, tcp, udp) in text.lines().filter_map(row) {
            tables.tcp.insert(port, tcp);
            tables.udp.insert(port, udp);
        }
        tables
    }
}

pub(super) struct PortNames {
    /// For each port the place of its name in `names`, counted from 1; 0 has none.
    places: Box<[u16]>,
    names: Vec<&'static str>,
}

impl PortNames {
    fn new() -> Self {
        Self { places: vec![0; usize::from(u16::MAX) + 1].into_boxed_slice(), names: Vec::new() }
    }

    fn insert(&mut self, port: u16, name: &'static str) {
        if name.is_empty() {
            return;
        }
        self.names.push(name);
        // There are fewer named ports than ports, so the count of names fits.
        self.places[usize::from(port)] = u16::try_from(self.names.len()).unwrap_or(0);
    }

    pub(super) fn name(&self, port: u16) -> Option<&'static str> {
        let place = usize::from(self.places[usize::from(port)]);
        self.names.get(place.checked_sub(1)?).copied()
    }
}

fn row(line: &'static str) -> Option<(u16, &'static str, &'static str)> {
    let mut fields = line.split('\t');
    Some((fields.next()?.parse().ok()?, fields.next()?, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_port_with_a_name_in_rising_order() {
        let mut last = 0;
        for line in PORTS.lines() {
            let (port, tcp, udp) = row(line).unwrap_or_else(|| panic!("not a row: {line:?}"));
            assert!(port > last, "{line:?} comes after port {last}");
            assert!(!(tcp.is_empty() && udp.is_empty()), "{line:?} names nothing");
            assert_eq!(line.split('\t').count(), 3, "{line:?}");
            last = port;
        }
        assert!(PORTS.lines().count() > 6_000);
    }

    #[test]
    fn every_name_of_the_file_is_found_by_its_port() {
        for (port, tcp, udp) in PORTS.lines().filter_map(row) {
            assert_eq!(TABLES.tcp.name(port).unwrap_or(""), tcp, "TCP port {port}");
            assert_eq!(TABLES.udp.name(port).unwrap_or(""), udp, "UDP port {port}");
        }
    }
}
