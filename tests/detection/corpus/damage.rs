//! Bad input: what is lost, cut or set wrong between the wire and the rule.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::common::link::Sample;
use super::super::dice::Dice;
use super::super::traffic::{ACK, Time, Traffic, later};

/// A way in which a capture is worse than the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Five packets of a hundred are missing.
    Loss,
    /// 64 bytes of each packet are captured.
    ShortSnap,
    /// The capture begins after a part of the time.
    FromMiddle,
    /// One packet in eight is captured.
    Sampled,
    /// Only what the labelled hosts send is captured.
    OneWay,
    /// The clock is set back by half a minute.
    ClockBack,
    /// The clock is set forward by two hours.
    ClockForward,
}

impl Damage {
    pub const ALL: [Self; 7] = [
        Self::Loss,
        Self::ShortSnap,
        Self::FromMiddle,
        Self::Sampled,
        Self::OneWay,
        Self::ClockBack,
        Self::ClockForward,
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "5 % loss",
            Self::ShortSnap => "64 bytes captured",
            Self::FromMiddle => "begun in the middle",
            Self::Sampled => "sampled, 1 in 8",
            Self::OneWay => "one way only",
            Self::ClockBack => "clock set back",
            Self::ClockForward => "clock set forward",
        }
    }

    /// True if scanners can still be told: answers and most packets are there.
    pub fn shows_answers(self) -> bool {
        !matches!(self, Self::Sampled | Self::OneWay)
    }

    /// Damages the packets of a case, which are in order; `senders` are its labelled hosts.
    pub fn apply(self, traffic: &mut Traffic, senders: &BTreeSet<IpAddr>, dice: &mut Dice) {
        let frames = &mut traffic.frames;
        let (Some(first), Some(last)) = (frames.first().map(|(time, _)| *time), frames.last().map(|(time, _)| *time))
        else {
            return;
        };
        let moment = first + (dice.within(0.1, 0.25) * (last - first) as f64) as i64;
        match self {
            Self::Loss => frames.retain(|_| !dice.chance(0.05)),
            Self::ShortSnap => frames.iter_mut().for_each(|(_, sample)| *sample = sample.cut(64)),
            Self::FromMiddle => frames.retain(|(time, _)| *time >= moment),
            Self::Sampled => frames.retain(|_| dice.chance(0.125)),
            Self::OneWay => {
                frames.retain(|(_, sample)| ends(&sample.bytes).is_none_or(|[from, _]| senders.contains(&from)));
                add_uploads(traffic, first, dice);
            }
            Self::ClockBack => set_clock(frames, moment, -30.0),
            Self::ClockForward => set_clock(frames, moment, 7_200.0),
        }
    }
}

/// Connections of other hosts, of which one way is seen too: no link carries the packets of one host alone.
fn add_uploads(traffic: &mut Traffic, first: Time, dice: &mut Dice) {
    for number in 0..16_u8 {
        let from = (IpAddr::from([172, 20, 0, 1 + number % 5]), dice.from(32_768, 60_000) as u16);
        let to = (IpAddr::from([172, 21, number, 1]), 443);
        for segment in 0..4 {
            let time = later(first, 0.1 * f64::from(number) + 0.2 * f64::from(segment));
            traffic.tcp(time, from, to, ACK, 400);
        }
    }
    traffic.frames.sort_by_key(|(time, _)| *time);
}

/// From `moment` on all times are so many seconds later.
fn set_clock(frames: &mut [(Time, Sample)], moment: Time, seconds: f64) {
    for (time, _) in frames.iter_mut().filter(|(time, _)| *time >= moment) {
        *time = later(*time, seconds);
    }
}

/// The source and the destination of a frame, behind any VLAN tags; none if it is not IP.
pub fn ends(frame: &[u8]) -> Option<[IpAddr; 2]> {
    let mut at = 12;
    while matches!(frame[at..at + 2], [0x81, 0] | [0x88, 0xa8]) {
        at += 4;
    }
    let packet = &frame[at + 2..];
    match frame[at..at + 2] {
        [0x08, 0x00] => {
            let address = |at: usize| <[u8; 4]>::try_from(&packet[at..at + 4]).ok().map(IpAddr::from);
            Some([address(12)?, address(16)?])
        }
        [0x86, 0xdd] => {
            let address = |at: usize| <[u8; 16]>::try_from(&packet[at..at + 16]).ok().map(IpAddr::from);
            Some([address(8)?, address(24)?])
        }
        _ => None,
    }
}
