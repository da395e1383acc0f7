//! The committed object has what user space expects. Needs no root.

use crate::decode::NotIp;
use crate::kernel::bpf::{OBJECT, layout};

#[test]
fn object_has_the_programs_and_maps_that_user_space_expects() {
    use layout::*;
    let object = aya_obj::Object::parse(OBJECT).unwrap();
    let mut programs: Vec<&str> = object.programs.keys().map(String::as_str).collect();
    programs.sort_unstable();
    assert_eq!(programs, ["tm_egress", "tm_ingress", "tm_xdp"]);
    let sizes = |name: &str| {
        let map = object.maps.get(name).unwrap_or_else(|| panic!("no map {name}"));
        (map.key_size() as usize, map.value_size() as usize)
    };
    fn of<K, V>() -> (usize, usize) {
        (size_of::<K>(), size_of::<V>())
    }
    for (name, expected) in [
        ("SETTINGS", of::<u32, Settings>()),
        ("V4_EVEN", of::<Key4, Conversation>()),
        ("V4_ODD", of::<Key4, Conversation>()),
        ("V6_EVEN", of::<Key6, Conversation>()),
        ("V6_ODD", of::<Key6, Conversation>()),
        ("INTERFACES", of::<u32, InterfaceSlot>()),
        ("SLOTS", of::<u32, u32>()),
        ("TOTALS", of::<u32, Totals>()),
        ("OVERFLOW", of::<OverflowKey, Overflow>()),
        ("SOURCES", of::<[u32; 4], Bucket>()),
        ("LOCAL_V4", (8, 1)),
        ("LOCAL_V6", (20, 1)),
        ("POLICY_V4", (8, 1)),
        ("POLICY_V6", (20, 1)),
        ("MESSAGES", (0, 0)),
        ("REPORTS", (0, 0)),
    ] {
        assert_eq!(sizes(name), expected, "{name}");
    }
    assert_eq!((size_of::<Key4>(), size_of::<Key6>(), size_of::<Conversation>()), (16, 40, 64));
    assert_eq!(not_ip_reasons(), NotIp::ALL.len() - 3, "LLC, PPP and MPLS are read in user space");
}

fn not_ip_reasons() -> usize {
    layout::not_ip::COUNT
}
