use std::net::Ipv4Addr;

use super::*;

fn contacts(sources: usize) -> Contacts {
    let bounds = ContactBounds { sources, targets: 100, targets_each: [16; 2], keeping: Keeping::Sample };
    Contacts::new(bounds, Seeds::from(7))
}

fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// Holds a source with one contact, so that it may be given up for another.
fn hold(contacts: &mut Contacts, source: IpAddr) -> u32 {
    let at = contacts.find_or_insert(source).unwrap();
    let target = HostPort { address: host(200), protocol: Protocol::TCP, port: 22 };
    assert!(contacts.mark(at, Aspect::Hosts, target, Cell(0)).is_some());
    at
}

#[test]
fn evicted_source_is_not_found_at_its_position() {
    let mut contacts = contacts(1);
    let at = hold(&mut contacts, host(1));
    assert!(contacts.is_wanted(host(1)));
    assert_eq!(hold(&mut contacts, host(2)), at, "in its target");
    assert!(!contacts.is_wanted(host(1)) && contacts.is_wanted(host(2)));
    assert_eq!((contacts.find(host(1)), contacts.find(host(2))), (None, Some(at)));
}

#[test]
fn removed_source_that_returns_gets_a_new_entry() {
    let mut contacts = contacts(4);
    let at = hold(&mut contacts, host(1));
    contacts.remove(at);
    assert_eq!((contacts.source_figures().0, contacts.find(host(1))), (0, None));
    let again = hold(&mut contacts, host(1));
    assert_eq!((contacts.source_figures().0, contacts.find(host(1))), (1, Some(again)));
}
