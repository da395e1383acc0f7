use super::super::interval::FrameCounters;
use super::*;

/// The interfaces of a ledger, with a scraper that has read as far as it is told.
#[derive(Default)]
struct Host {
    interfaces: Interfaces,
    existing: Vec<&'static str>,
    published: u64,
}

impl Host {
    /// Counts frames and received packets on an interface that exists.
    fn count(&mut self, name: &str, frames: u64) -> InterfaceId {
        let id = self.interfaces.find_or_register(name);
        self.interfaces.get_mut(id).unwrap().frames.add(FrameCounters { frames, bytes: 100 * frames });
        let coverage = Coverage { is_comparable: true, delivered: frames, on_interface: frames, obstacle: None };
        self.interfaces.record_capture(
            id,
            name,
            Capture { up: true, received: frames, coverage, ..Capture::default() },
        );
        self.interfaces.record_interval(id, 0, 1_000);
        id
    }

    /// Publishes the next snapshot, after a scraper has read `read`; gives what it shows.
    fn publish(&mut self, read: Option<u64>) -> Vec<(String, u64)> {
        self.published += 1;
        let existing = self.existing.clone();
        self.interfaces.end(|name| existing.contains(&name), self.published);
        self.interfaces.retire(|since| read.is_some_and(|read| since <= read));
        let shown = self.interfaces.entries().iter();
        shown.map(|entry| (entry.name.clone(), entry.frames.frames)).collect()
    }

    fn entry(&self, name: &str) -> &InterfaceEntry {
        self.interfaces.entries().iter().find(|entry| entry.name == name).unwrap()
    }
}

fn rows<const N: usize>(rows: [(&str, u64); N]) -> Vec<(String, u64)> {
    rows.map(|(name, frames)| (name.to_owned(), frames)).to_vec()
}

#[test]
fn an_interface_that_is_gone_is_frozen_until_its_last_value_is_read() {
    let mut host = Host { existing: vec!["eth0", "veth1"], ..Host::default() };
    host.count("eth0", 5);
    host.count("veth1", 7);
    assert_eq!(host.publish(None), rows([("eth0", 5), ("veth1", 7)]));
    host.existing = vec!["eth0"];
    assert_eq!(host.publish(Some(1)), rows([("eth0", 5), ("veth1", 7)]));
    let gone = host.entry("veth1").capture.unwrap();
    assert_eq!((gone.up, gone.coverage, gone.received), (false, Coverage::default(), 7), "gauges end at once");
    host.count("eth0", 1);
    assert_eq!(host.publish(Some(1)), rows([("eth0", 6), ("veth1", 7)]), "snapshot 2 was not read yet");
    assert_eq!(host.publish(Some(2)), rows([("eth0", 6), ("retired", 7)]));
    assert_eq!(host.entry("retired").capture.unwrap().received, 7);
    assert_eq!(host.publish(Some(3)), rows([("eth0", 6), ("retired", 7)]), "retired stays");
}

#[test]
fn an_interface_that_comes_back_unread_goes_on_and_later_starts_at_0() {
    let mut host = Host { existing: vec!["ppp0"], ..Host::default() };
    let first = host.count("ppp0", 7);
    host.publish(None);
    host.existing.clear();
    host.publish(None);
    host.existing = vec!["ppp0"];
    assert_eq!(host.count("ppp0", 2), first);
    assert_eq!(host.publish(Some(2)), rows([("ppp0", 9)]), "its end was undone, so nothing is retired");
    host.existing.clear();
    host.publish(Some(2));
    assert_eq!(host.publish(Some(4)), rows([("retired", 9)]));
    host.existing = vec!["ppp0"];
    assert_ne!(host.count("ppp0", 1), first, "numbers are not given again");
    assert_eq!(host.publish(Some(5)), rows([("retired", 9), ("ppp0", 1)]));
}

#[test]
fn frames_that_are_handed_over_late_count_and_the_entry_ends_all_the_same() {
    let mut host = Host { existing: vec!["veth1"], ..Host::default() };
    host.count("veth1", 7);
    host.existing.clear();
    host.publish(None);
    host.count("veth1", 3);
    assert_eq!(host.publish(Some(1)), rows([("veth1", 10)]), "the 10 were not read yet");
    assert_eq!(host.publish(Some(2)), rows([("retired", 10)]));
    host.count("veth1", 1);
    assert_eq!(host.publish(Some(2)), rows([("retired", 10), ("veth1", 1)]));
    assert_eq!(host.publish(Some(4)), rows([("retired", 11)]));
}

#[test]
fn an_interface_that_counted_nothing_leaves_nothing() {
    let mut host = Host { existing: vec!["veth1"], ..Host::default() };
    host.count("veth1", 0);
    host.publish(None);
    host.existing.clear();
    assert_eq!(host.publish(None), []);
    assert_eq!(host.interfaces.interval_memory_bytes(), 0);
}

#[test]
fn interfaces_without_end_leave_only_the_sum_and_the_living() {
    let mut host = Host { existing: vec!["eth0"], ..Host::default() };
    let mut ids = std::collections::BTreeSet::new();
    for number in 0..5_000_u64 {
        let name: &'static str = format!("veth{number}").leak();
        host.existing = vec!["eth0", name];
        ids.insert(host.count(name, 3));
        host.count("eth0", 1);
        let read = host.published;
        host.publish(Some(read));
        assert!(host.interfaces.entries().len() <= 4, "{:?}", host.interfaces.entries());
    }
    assert_eq!(ids.len(), 5_000, "each had a number of its own");
    host.existing = vec!["eth0"];
    host.publish(None);
    assert_eq!(host.publish(Some(5_001)), rows([("eth0", 5_000), ("retired", 15_000)]));
    assert_eq!(host.interfaces.interval_memory_bytes(), 2 * 1_000);
    assert_eq!(host.interfaces.retired_unread(), 0);
}

#[test]
fn past_the_bound_the_one_that_is_gone_longest_is_retired_unread_and_counted() {
    let mut host = Host::default();
    for number in 0..2_000 {
        host.count(&format!("veth{number}"), 1);
        host.publish(None);
    }
    assert_eq!(host.interfaces.entries().len(), MAXIMUM_GONE + 1, "the sum besides");
    assert_eq!(host.interfaces.retired_unread(), 2_000 - MAXIMUM_GONE as u64);
    assert_eq!(host.entry("retired").frames.frames, 2_000 - MAXIMUM_GONE as u64);
    assert_eq!(host.entry("veth1999").frames.frames, 1);
}

#[test]
fn interfaces_that_share_an_entry_free_it_and_get_their_own_when_there_is_room() {
    let names: Vec<&'static str> = (0..1_100).map(|number| &*format!("veth{number}").leak()).collect();
    let mut host = Host { existing: names.clone(), ..Host::default() };
    for name in &names {
        host.count(name, 1);
    }
    host.publish(Some(0));
    assert_eq!(host.interfaces.entries().len(), MAXIMUM_LIVING);
    assert_eq!(host.entry("other").frames.frames, 77);
    assert!(host.entry("other").capture.unwrap().up);
    // All go but one that had no entry of its own.
    host.existing = vec!["veth1099"];
    host.publish(Some(1));
    host.count("veth1099", 2);
    host.publish(Some(2));
    assert_eq!(host.publish(Some(3)), rows([("veth1099", 2), ("retired", 1_100)]));
}

#[test]
fn an_entry_that_is_shared_is_up_while_one_of_its_interfaces_is() {
    let mut interfaces = Interfaces::default();
    for number in 0..MAXIMUM_LIVING - 1 {
        interfaces.find_or_register(&format!("veth{number}"));
    }
    let capture = |up| Capture { up, ..Capture::default() };
    let other = interfaces.find_or_register("a");
    assert_eq!(interfaces.find_or_register("b"), other);
    let mut up_after = |name: &str, up| {
        interfaces.record_capture(other, name, capture(up));
        interfaces.get(other).unwrap().capture.unwrap().up
    };
    assert_eq!([up_after("a", true), up_after("b", false), up_after("a", false)], [true, true, false]);
}

#[test]
fn an_interface_called_retired_is_not_mixed_up_with_the_sum() {
    let mut host = Host { existing: vec!["retired", "veth1"], ..Host::default() };
    host.count("retired", 2);
    host.count("veth1", 5);
    host.publish(None);
    host.existing = vec!["retired"];
    host.publish(Some(1));
    host.count("retired", 1);
    assert_eq!(host.publish(Some(2)), rows([("other", 3), ("retired", 5)]));
}
