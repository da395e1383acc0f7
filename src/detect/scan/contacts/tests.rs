use std::net::Ipv4Addr;

use super::*;

fn contacts(sources: usize) -> Contacts {
    let bounds = Bounds { sources, targets: 100, targets_each: [16; 2], keeping: Keeping::Sample };
    Contacts::new(bounds, Seeds::from(7))
}

fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// Holds a source with one contact, so that it may be given up for another.
fn hold(contacts: &mut Contacts, source: IpAddr) -> u32 {
    let at = contacts.hold(source).unwrap();
    let place = Place { address: host(200), protocol: Protocol::TCP, port: 22 };
    assert!(contacts.mark(at, Aspect::Hosts, place, Cell(0)).is_some());
    at
}

#[test]
fn who_was_given_up_is_not_found_where_it_was() {
    let mut contacts = contacts(1);
    let at = hold(&mut contacts, host(1));
    assert!(contacts.is_wanted(host(1)));
    assert_eq!(hold(&mut contacts, host(2)), at, "in its place");
    assert!(!contacts.is_wanted(host(1)) && contacts.is_wanted(host(2)));
    assert_eq!((contacts.find(host(1)), contacts.find(host(2))), (None, Some(at)));
}

#[test]
fn who_left_and_comes_again_is_held_anew() {
    let mut contacts = contacts(4);
    let at = hold(&mut contacts, host(1));
    contacts.remove(at);
    assert_eq!((contacts.source_figures().0, contacts.find(host(1))), (0, None));
    let again = hold(&mut contacts, host(1));
    assert_eq!((contacts.source_figures().0, contacts.find(host(1))), (1, Some(again)));
}
