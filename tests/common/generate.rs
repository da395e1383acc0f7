//! Strategies for frames: plausible ones, damaged ones, and bytes that mean nothing.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::corpus;
use super::hand;
use super::ip::{
    ALICE, ALICE_6, AUTHENTICATION, BOB, BOB_6, DESTINATION_OPTIONS, Extension, HOP_BY_HOP, ICMP, ICMPV6, Ipv4, Ipv6,
    NO_NEXT_HEADER, ROUTING, Transport, authentication_header, fragment_header, icmp, icmp_error, icmpv6,
    options_header, other, tcp, udp,
};
use super::link::{Link, Sample};

/// Any link type that is read.
pub fn link_type() -> impl Strategy<Value = i32> {
    select([&hand::MUST[..], &hand::SHOULD[..]].concat())
}

/// A frame without mistakes, but for lengths that may lie.
pub fn frame() -> impl Strategy<Value = Sample> {
    let padded = |(link, packet, padding): (Link, Vec<u8>, usize)| link.carrying(&packet).padded(padding);
    (link(), packet(), prop_oneof![3 => Just(0_usize), 1 => 1..50_usize]).prop_map(padded)
}

/// A frame, its bytes tampered with, cut short, with a wire length that need not be right.
pub fn damaged_frame() -> impl Strategy<Value = Sample> {
    (frame(), vec((any::<Index>(), tampering()), 0..4), cut(), wire_change()).prop_map(
        |(mut sample, tamperings, cut, wire_change)| {
            for (at, tampering) in tamperings {
                let at = at.index(sample.bytes.len());
                sample.bytes[at] = tampering.apply(sample.bytes[at]);
            }
            let kept = cut.map_or(sample.bytes.len(), |cut| cut.index(sample.bytes.len() + 1));
            let wire_bytes = i64::from(sample.wire_bytes) + wire_change;
            sample.cut(kept).on_wire(u32::try_from(wire_bytes).unwrap_or(0))
        },
    )
}

/// Bytes that mean nothing, on any link type.
pub fn noise() -> impl Strategy<Value = Sample> {
    let sample = |(link_type, bytes, beyond): (i32, Vec<u8>, u32)| Sample {
        link_type,
        wire_bytes: bytes.len() as u32 + beyond,
        bytes,
    };
    (link_type(), vec(any::<u8>(), 0..160), 0..100_u32).prop_map(sample)
}

/// A link header that leads somewhere, then bytes that mean nothing, announced as IP.
pub fn noise_behind_a_link() -> impl Strategy<Value = Sample> {
    (link(), vec(any::<u8>(), 0..120), any::<bool>(), prop_oneof![Just(0x40_u8), Just(0x60), Just(0x45)]).prop_map(
        |(link, mut bytes, ipv6, first)| {
            if let Some(byte) = bytes.first_mut() {
                *byte = first | *byte & 0x0f;
            }
            if ipv6 { link.carrying_ipv6(&bytes) } else { link.carrying_ipv4(&bytes) }
        },
    )
}

/// One that stands in the corpus, or Ethernet or cooked headers with a random stack behind them.
fn link() -> impl Strategy<Value = Link> {
    let outermost = select(vec![Link::ethernet(), Link::ethernet(), Link::cooked(4), Link::cooked_v2(0)]);
    let tags = vec(select(vec![0x8100_u16, 0x88a8, 0x9100]), 0..9);
    let control = prop_oneof![any::<u16>(), select(vec![0x4500_u16, 0x4600, 0x4fff, 0x6000, 5])];
    let hidden = (vec(control, 1..4), any::<bool>()).prop_map(|(controls, version_2)| {
        let cooked = if version_2 { Link::cooked_v2(0) } else { Link::cooked(0) };
        controls.into_iter().fold(cooked, Link::hidden_tag)
    });
    let innermost = prop_oneof![
        Just(Innermost::Nothing),
        Just(Innermost::Pppoe),
        Just(Innermost::CompressedPppoe),
        Just(Innermost::Snap),
        (1..9_usize).prop_map(Innermost::Mpls),
    ];
    let stacked = (outermost, tags, innermost).prop_map(|(outermost, tags, innermost)| {
        // A length below 1536 in a cooked header is not one, so SNAP needs a tag or Ethernet before it.
        let snap_may_follow = !tags.is_empty() || outermost.link_type() == 1;
        let link = tags.into_iter().fold(outermost, Link::vlan);
        match innermost {
            Innermost::Pppoe => link.pppoe(),
            Innermost::CompressedPppoe => link.pppoe().compressed(),
            Innermost::Snap if snap_may_follow => link.snap(),
            Innermost::Mpls(labels) => link.mpls(labels),
            _ => link,
        }
    });
    let known: Vec<Link> = corpus::links().into_iter().map(|(_, link)| link).collect();
    prop_oneof![4 => stacked, 6 => select(known), 1 => hidden]
}

#[derive(Debug, Clone)]
enum Innermost {
    Nothing,
    Pppoe,
    CompressedPppoe,
    Snap,
    Mpls(usize),
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    // Boxed, or the strategies nested in it would outgrow a stack.
    prop_oneof![3 => ipv4().boxed(), 3 => ipv6().boxed(), 2 => error().boxed()]
}

/// An ICMP error about a packet, cut anywhere, mostly to the sender of the packet.
fn error() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![4 => select(vec![1_u8, 3, 4]), 1 => any::<u8>()];
    let code = prop_oneof![4 => 0..8_u8, 1 => any::<u8>()];
    let quoted = prop_oneof![ipv4().boxed(), ipv6().boxed(), ipv4_error().boxed()];
    (
        quoted,
        cut(),
        kind,
        code,
        select(vec![ICMP, ICMPV6]),
        any::<bool>(),
        prop_oneof![9 => Just(true), 1 => Just(false)],
    )
        .prop_map(|(quoted, cut, kind, code, protocol, crosses, returns)| {
            let kept = cut.map_or(quoted.len(), |cut| cut.index(quoted.len() + 1));
            let above = icmp_error(protocol, kind, code, &quoted[..kept]);
            // Mostly the version that the protocol is for.
            if (protocol == ICMP) != (crosses && code == 7) {
                let packet = Ipv4::carrying(above);
                if returns { packet.between(BOB, ALICE) } else { packet }.build()
            } else {
                let packet = Ipv6::carrying(above);
                if returns { packet.between(BOB_6, ALICE_6) } else { packet }.build()
            }
        })
}

fn ipv4_error() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), any::<u8>(), ipv4())
        .prop_map(|(kind, code, quoted)| Ipv4::carrying(icmp_error(ICMP, kind, code, &quoted)).build())
}

fn transport() -> impl Strategy<Value = Transport> {
    let payload = || vec(any::<u8>(), 0..40);
    let number = prop_oneof![any::<u8>(), select(vec![6, 17, 1, 58, NO_NEXT_HEADER, AUTHENTICATION, HOP_BY_HOP])];
    prop_oneof![
        3 => (any::<u16>(), any::<u16>(), any::<u8>(), payload()).prop_map(|(from, to, flags, payload)| tcp(from, to, flags, &payload)),
        3 => (any::<u16>(), any::<u16>(), payload()).prop_map(|(from, to, payload)| udp(from, to, &payload)),
        1 => any::<u8>().prop_map(icmp),
        1 => any::<u8>().prop_map(icmpv6),
        2 => (number, payload()).prop_map(|(number, payload)| other(number, &payload)),
    ]
}

fn fragment() -> impl Strategy<Value = (u16, bool)> {
    prop_oneof![4 => Just((0, false)), 1 => Just((0, true)), 1 => (1..0x2000_u16, any::<bool>())]
}

/// A length that is right (nothing), 0, near the truth, or anything.
fn claimed_length() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![6 => Just(None), 1 => Just(Some(0)), 2 => (1..120_u16).prop_map(Some), 1 => any::<u16>().prop_map(Some)]
}

fn ipv4() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![20 => Just(None), 1 => (0..16_u8).prop_map(Some)];
    (transport(), 0..11_u8, fragment(), claimed_length(), words, prop_oneof![4 => Just(false), 1 => Just(true)])
        .prop_map(|(above, options, (offset, more), length, words, checksum_is_wrong)| {
            let packet = Ipv4::carrying(above).options(options).fragment(offset, more);
            let packet = if checksum_is_wrong { packet.wrong_checksum() } else { packet };
            let packet = length.into_iter().fold(packet, Ipv4::total_length);
            words.into_iter().fold(packet, Ipv4::header_words).build()
        })
}

fn ipv6() -> impl Strategy<Value = Vec<u8>> {
    (transport(), vec(extension(), 0..8), claimed_length()).prop_map(|(above, chain, length)| {
        let packet = chain.into_iter().fold(Ipv6::carrying(above), Ipv6::through);
        length.into_iter().fold(packet, Ipv6::payload_length).build()
    })
}

fn extension() -> impl Strategy<Value = Extension> {
    prop_oneof![
        4 => (select(vec![HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS]), 0..4_u8)
            .prop_map(|(number, length)| options_header(number, length)),
        2 => fragment().prop_map(|(offset, more)| fragment_header(offset, more)),
        2 => (0..6_u8).prop_map(authentication_header),
    ]
}

/// A change to one byte.
#[derive(Debug, Clone, Copy)]
enum Tampering {
    Flip(u8),
    Set(u8),
}

impl Tampering {
    fn apply(self, byte: u8) -> u8 {
        match self {
            Self::Flip(bits) => byte ^ bits,
            Self::Set(value) => value,
        }
    }
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (0..8_u8).prop_map(|bit| Tampering::Flip(1 << bit)),
        select(vec![0, 1, 2, 4, 6, 0x45, 0x60, 0xff]).prop_map(Tampering::Set),
        any::<u8>().prop_map(Tampering::Set),
    ]
}

fn cut() -> impl Strategy<Value = Option<Index>> {
    prop_oneof![2 => Just(None), 1 => any::<Index>().prop_map(Some)]
}

/// Frames cut by the snap length, frames that claim to be shorter than they are, and 4 GB on the wire.
fn wire_change() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 2 => -60..60_i64, 1 => 0..70_000_i64, 1 => Just(i64::from(u32::MAX) - 1_000)]
}
