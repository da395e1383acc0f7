//! The conversations of the table: joins the flows of both directions, and writes the heaviest conversations. Takes a
//! snapshot; gives lines of text. Must not know the rest of the table.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use super::columns::{Heads, TableLine};
use super::{Config, columns, write_wrapped};
use crate::account::flow::{Counters, FlowKey, FlowKeying};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::export::units::{Units, share};
use crate::packet::{Protocol, Timestamp};
use crate::services::{protocol_name, service_name};

/// Two hosts that exchange packets of one protocol and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PairKey {
    /// The host whose packets count as sent.
    client: IpAddr,
    server: IpAddr,
    protocol: Protocol,
    /// The port of the service; 0 if there is none.
    port: u16,
}

#[derive(Debug, Clone, Copy, Default)]
struct DirectionCounters {
    counters: Counters,
    /// None before any packet.
    first_seen: Option<Timestamp>,
}

/// The counters of both directions: to the server, to the client.
type Both = [DirectionCounters; 2];

#[derive(Debug, Clone, Copy)]
struct ConversationTotals {
    key: PairKey,
    sent: Counters,
    received: Counters,
}

impl ConversationTotals {
    fn bytes(&self) -> u64 {
        self.sent.plus(self.received).bytes
    }
}

pub(super) fn write<W: Write>(config: Config, snapshot: &Snapshot, out: &mut W) -> io::Result<()> {
    let mut conversations = all(snapshot);
    if conversations.is_empty() {
        return Ok(());
    }
    conversations.sort_unstable_by_key(|conversation| (Reverse(conversation.bytes()), conversation.key));
    let shown = config.top.unwrap_or(usize::MAX).min(conversations.len());
    let (shown, others) = conversations.split_at(shown);
    let lines: Vec<TableLine> =
        shown.iter().map(|conversation| line(snapshot.flow_keying, config.units, conversation)).collect();
    writeln!(out)?;
    columns::write(&heads(snapshot.flow_keying), &lines, out)?;
    write_cut_off(config.units, snapshot, shown.len(), others, out)?;
    write_other(config.units, snapshot, out)
}

/// The conversations of all flows, in no order that means anything.
fn all(snapshot: &Snapshot) -> Vec<ConversationTotals> {
    let mut conversations: BTreeMap<(PairKey, bool), Both> = BTreeMap::new();
    for flow in &snapshot.flows.rows {
        let (key, has_roles, way) = place(snapshot.flow_keying, &flow.key);
        add(&mut conversations.entry((key, has_roles)).or_default()[way], flow);
    }
    let conversation = |((key, has_roles), both)| if has_roles { of_roles(key, both) } else { of_peers(key, both) };
    conversations.into_iter().map(conversation).collect()
}

/// The conversation of a flow, whether the key says which side is the client, and 0 for packets to the server.
fn place(keying: FlowKeying, flow: &FlowKey) -> (PairKey, bool, usize) {
    let &FlowKey { source, destination, protocol, port, reply, .. } = flow;
    let key = |client, server| PairKey { client, server, protocol, port };
    // Without the source port nothing says which flow answers another.
    let has_roles = keying == FlowKeying::DestinationPort || port != 0;
    let is_backward = if has_roles { reply } else { destination < source };
    let key = if is_backward { key(destination, source) } else { key(source, destination) };
    (key, has_roles, usize::from(is_backward))
}

fn add(sum: &mut DirectionCounters, flow: &ShownRow<FlowKey>) {
    sum.counters.add(flow.lifetime);
    sum.first_seen = sum.first_seen.into_iter().chain([flow.first_seen]).min();
}

fn of_roles(key: PairKey, [sent, received]: Both) -> ConversationTotals {
    ConversationTotals { key, sent: sent.counters, received: received.counters }
}

/// The totals of two peers of which neither is the server. The one that sent first comes first.
fn of_peers(key: PairKey, [upward, downward]: Both) -> ConversationTotals {
    let is_downward = match (upward.first_seen, downward.first_seen) {
        (Some(upward), Some(downward)) => downward < upward,
        (upward, _) => upward.is_none(),
    };
    if is_downward {
        let key = PairKey { client: key.server, server: key.client, ..key };
        return of_roles(key, [downward, upward]);
    }
    of_roles(key, [upward, downward])
}

const fn heads(keying: FlowKeying) -> Heads {
    match keying {
        FlowKeying::Service => {
            Heads { ends: ["CLIENT", "SERVER"], service: "SERVICE", figures: &["SENT", "RECEIVED", "PACKETS"] }
        }
        FlowKeying::DestinationPort => {
            Heads { ends: ["SOURCE", "DESTINATION"], service: "PORT", figures: &["BYTES", "PACKETS"] }
        }
        FlowKeying::Pair => {
            Heads { ends: ["HOST", "PEER"], service: "PROTOCOL", figures: &["SENT", "RECEIVED", "PACKETS"] }
        }
    }
}

fn line(keying: FlowKeying, units: Units, conversation: &ConversationTotals) -> TableLine {
    let ConversationTotals { key, sent, received } = conversation;
    let packets = units.count(sent.plus(*received).packets);
    let (sent, received) = (units.bytes(sent.bytes), units.bytes(received.bytes));
    let figures =
        if keying == FlowKeying::DestinationPort { vec![sent, packets] } else { vec![sent, received, packets] };
    let service = service(keying, key);
    let name = service_name(key.protocol, key.port).map(|name| format!("{service} {name}"));
    TableLine { ends: [key.client.to_string(), key.server.to_string()], service, named_service: name, figures }
}

/// `443/tcp`, `icmp`, `protocol 253`; of TCP or UDP without a port `udp, no port`.
fn service(keying: FlowKeying, key: &PairKey) -> String {
    let protocol = protocol_name(key.protocol).map_or_else(|| format!("protocol {}", key.protocol.0), str::to_owned);
    let lacks_port = keying != FlowKeying::Pair && matches!(key.protocol, Protocol::TCP | Protocol::UDP);
    match key.port {
        0 if lacks_port => format!("{protocol}, no port"),
        0 => protocol,
        port => format!("{port}/{protocol}"),
    }
}

fn write_cut_off<W: Write>(
    units: Units,
    snapshot: &Snapshot,
    shown: usize,
    others: &[ConversationTotals],
    out: &mut W,
) -> io::Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let bytes = others.iter().map(ConversationTotals::bytes).sum();
    let share = share(bytes, snapshot.totals.ip().bytes);
    let (bytes, all) = (units.bytes_in_words(bytes), shown + others.len());
    let (more, verb) = (others.len(), if others.len() == 1 { "carries" } else { "carry" });
    let words =
        format!("{shown} of {all} conversations; {more} more {verb} {bytes} ({share}). --top\u{a0}all lists all.");
    write_wrapped(out, "", "", &words)
}

/// The traffic of flows that did not fit in the flow table.
fn write_other<W: Write>(units: Units, snapshot: &Snapshot, out: &mut W) -> io::Result<()> {
    let mut sum = Counters::default();
    snapshot.flows.other.values().for_each(|&counters| sum.add(counters));
    if sum.is_empty() {
        return Ok(());
    }
    let (packets, bytes) = (units.count(sum.packets), units.bytes_in_words(sum.bytes));
    let (share, limit) = (share(sum.bytes, snapshot.totals.ip().bytes), snapshot.flows.figures.limit);
    let words = format!("Not listed: {packets} packets with {bytes} ({share}) of flows past --max-flows\u{a0}{limit}.");
    write_wrapped(out, "", "", &words)
}
