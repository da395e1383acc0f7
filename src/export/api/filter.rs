//! The filter language of the API. Takes the text of a filter; gives a test for flows and alerts, or a sentence that
//! says what is wrong. Must not know where flows come from.
//!
//! A filter is a list of words that all must hold; `-` or `!` before a word negates it. `docs/api.md` lists the words.
//! A word in quotes without a key is always part of a name.

use std::net::IpAddr;

use ipnet::IpNet;

use super::ApiInputs;
use super::filter_address::{looks_like_address, mac, network};
use super::filter_word::{FilterWord, QuotedValue, words};
use super::flow::RangeFlow;
use super::query::{BadParameter, quoted, visible};
use crate::locality::Direction;
use crate::names::{HostNames, LocalProcess};
use crate::packet::Protocol;
use crate::services::{protocol_name, service_name};

/// The most words of a filter.
const MAXIMUM_WORDS: usize = 32;

/// The keys of words, in the order of messages.
pub(super) const KEYS: [&str; 9] =
    ["host", "src", "dst", "port", "service", "protocol", "direction", "interface", "mac"];

/// A filter; an empty one lets everything pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FlowFilter {
    terms: Vec<FilterTerm>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FilterTerm {
    is_negated: bool,
    condition: FlowCondition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FlowCondition {
    /// Either end is in the network.
    Host(IpNet),
    Source(IpNet),
    Destination(IpNet),
    Port(u16),
    /// The name of a service, in lower case.
    Service(String),
    Protocol(Protocol),
    Direction(Direction),
    /// The name of an interface.
    Interface(String),
    /// The address of a network interface, in lower case.
    Mac(String),
    /// Part of a name, in lower case.
    Text(String),
}

impl FlowFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// At the first word that means nothing.
    pub(super) fn parse(text: &str) -> Result<Self, BadParameter> {
        let words = words(text);
        if words.len() > MAXIMUM_WORDS {
            return Err(mistake(format!("more than {MAXIMUM_WORDS} words")));
        }
        let terms = words.iter().map(term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// True if every flow passes.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True if a word asks for an interface, which not every range knows.
    pub(super) fn asks_for_interface(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.condition, FlowCondition::Interface(_)))
    }

    /// The addresses that words ask for; networks are not among them.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.terms.iter().filter(|term| !term.is_negated).filter_map(|term| match term.condition {
            FlowCondition::Host(network) | FlowCondition::Source(network) | FlowCondition::Destination(network) => {
                (network.prefix_len() == network.max_prefix_len()).then(|| network.addr())
            }
            _ => None,
        })
    }

    /// The verdict on a flow. `interface` is the name of its interface.
    pub(super) fn verdict(&self, flow: &RangeFlow, interface: Option<&str>, inputs: &ApiInputs<'_>) -> FilterVerdict {
        let of_term = |term: &FilterTerm| match term.condition.holds(flow, interface, inputs) {
            None => FilterVerdict::Undecided,
            Some(holds) if holds != term.is_negated => FilterVerdict::Passes,
            Some(_) => FilterVerdict::Fails,
        };
        self.terms.iter().map(of_term).max().unwrap_or(FilterVerdict::Passes)
    }

    /// True if an alert passes. Alerts have no direction and no interface, so words about these let all alerts pass.
    pub(super) fn matches_alert(&self, alert: &AlertEnds<'_>, names: &HostNames) -> bool {
        self.terms.iter().all(|term| term.condition.holds_of_alert(alert, names).is_none_or(|is| is != term.is_negated))
    }
}

/// True if an end of a flow is in the network; none if the end is open and may be. An open end is of the IP version of the
/// other one, and a remote one is in no local network.
fn is_in(
    network: &IpNet,
    end: Option<IpAddr>,
    is_local: bool,
    flow: &RangeFlow,
    inputs: &ApiInputs<'_>,
) -> Option<bool> {
    let Some(end) = end else {
        let is_other_version = flow.ends().any(|other| other.is_ipv4() != network.addr().is_ipv4());
        return (is_other_version || !is_local && inputs.settings.is_local(network)).then_some(false);
    };
    Some(network.contains(&end))
}

/// The verdict of a filter on a flow. The greatest one of its words decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FilterVerdict {
    /// All words hold.
    Passes,
    /// A word asks for something that a sum of several flows leaves open.
    Undecided,
    /// A word does not hold.
    Fails,
}

/// The parts of an alert that a filter looks at.
#[derive(Debug, Default)]
pub(super) struct AlertEnds<'a> {
    /// The addresses that it is about.
    pub sources: Vec<IpNet>,
    /// The receivers that it is about, and its targets.
    pub destinations: Vec<IpNet>,
    /// Protocols and ports of its targets.
    pub ports: Vec<(Protocol, Option<u16>)>,
    /// Further words: kind, rule, severity.
    pub words: Vec<&'a str>,
    /// The local processes that hold its conversations.
    pub processes: Vec<&'a LocalProcess>,
}

impl FlowCondition {
    /// None if that depends on a part that the flow leaves open.
    fn holds(&self, flow: &RangeFlow, interface: Option<&str>, inputs: &ApiInputs<'_>) -> Option<bool> {
        let names = inputs.names;
        let of_ends = |is_it: &dyn Fn(IpAddr) -> bool| match flow.ends().any(is_it) {
            true => Some(true),
            false => flow.both_ends().map(|_| false),
        };
        let source = |network: &IpNet| is_in(network, flow.source, flow.is_source_local(), flow, inputs);
        let destination = |network: &IpNet| is_in(network, flow.destination, flow.is_destination_local(), flow, inputs);
        let has_service = |is_it: &dyn Fn(Option<&str>) -> bool| Some(is_it(service_name(flow.protocol, flow.port?)));
        Some(match self {
            Self::Host(network) => match [source(network), destination(network)] {
                ends if ends.contains(&Some(true)) => true,
                ends if ends.contains(&None) => return None,
                _ => false,
            },
            Self::Source(network) => source(network)?,
            Self::Destination(network) => destination(network)?,
            Self::Port(port) => flow.port? == *port,
            Self::Service(name) => return has_service(&|service| service == Some(name)),
            Self::Protocol(protocol) => flow.protocol == *protocol,
            Self::Direction(direction) => flow.direction == *direction,
            Self::Interface(name) => interface.is_some_and(|interface| interface.eq_ignore_ascii_case(name)),
            Self::Mac(mac) => {
                return of_ends(&|end| names.host(end).is_some_and(|host| host.mac.as_deref() == Some(mac)));
            }
            Self::Text(word) => {
                let of_protocol = protocol_name(flow.protocol).is_some_and(|name| name == word);
                let of_service = has_service(&|service| service.is_some_and(|name| name.contains(word)));
                let of_process = || flow.process(names).is_some_and(|process| process.contains(word));
                match of_ends(&|end| names.contain(end, word)) {
                    _ if of_protocol || of_service == Some(true) => true,
                    Some(false) => of_service? || of_process(),
                    of_ends => return of_ends,
                }
            }
        })
    }

    /// None if the condition says nothing about alerts.
    fn holds_of_alert(&self, alert: &AlertEnds<'_>, names: &HostNames) -> Option<bool> {
        let within =
            |ends: &[IpNet], network: &IpNet| ends.iter().any(|end| network.contains(end) || end.contains(network));
        let all = || alert.sources.iter().chain(&alert.destinations);
        Some(match self {
            Self::Host(network) => within(&alert.sources, network) || within(&alert.destinations, network),
            Self::Source(network) => within(&alert.sources, network),
            Self::Destination(network) => within(&alert.destinations, network),
            Self::Port(port) => alert.ports.iter().any(|(_, of_alert)| *of_alert == Some(*port)),
            Self::Service(name) => alert
                .ports
                .iter()
                .any(|&(protocol, port)| service_name(protocol, port.unwrap_or_default()) == Some(name)),
            Self::Protocol(protocol) => alert.ports.iter().any(|(of_alert, _)| of_alert == protocol),
            Self::Mac(mac) => {
                all().any(|end| names.host(end.addr()).is_some_and(|host| host.mac.as_deref() == Some(mac)))
            }
            Self::Text(word) => {
                all().any(|end| names.contain(end.addr(), word))
                    || alert.words.iter().any(|text| text.to_lowercase().contains(word))
                    || alert.processes.iter().any(|process| process.contains(word))
            }
            Self::Direction(_) | Self::Interface(_) => return None,
        })
    }
}

fn term(word: &FilterWord<'_>) -> Result<FilterTerm, BadParameter> {
    if word.positive.is_empty() {
        return Err(mistake(format!("{} negates nothing; write it before a word", quoted(word.text))));
    }
    let condition = match &word.quoted {
        Some(value) => quoted_condition(word.positive, value),
        None => condition(word.positive),
    };
    Ok(FilterTerm { is_negated: word.is_negated, condition: condition? })
}

fn quoted_condition(word: &str, quoted_value: &QuotedValue<'_>) -> Result<FlowCondition, BadParameter> {
    let QuotedValue { key, value, is_closed, has_rest } = quoted_value;
    if !is_closed {
        return Err(mistake(format!("{} has no closing quote", quoted(word))));
    }
    if *has_rest {
        return Err(mistake(format!("{} goes on behind its closing quote; write a blank there", quoted(word))));
    }
    match key {
        Some(key) => of_key(word, key, value),
        None if value.is_empty() => Err(mistake(format!("{} has no value", quoted(word)))),
        None => Ok(FlowCondition::Text(value.to_lowercase())),
    }
}

fn condition(word: &str) -> Result<FlowCondition, BadParameter> {
    if let Some(network) = network(word) {
        return Ok(FlowCondition::Host(network));
    }
    let Some((key, value)) = word.split_once(':') else { return text(word) };
    of_key(word, key, value)
}

fn of_key(word: &str, key: &str, value: &str) -> Result<FlowCondition, BadParameter> {
    let key = key.to_ascii_lowercase();
    if !KEYS.contains(&key.as_str()) {
        let keys = KEYS.map(|key| format!("{key}:")).join(", ");
        return Err(mistake(format!("{} is neither an address nor begins with one of {keys}", quoted(word))));
    }
    if value.is_empty() {
        return Err(mistake(format!("{} has no value", quoted(word))));
    }
    keyed(&key, value)
}

/// Part of a name. A name has no slash, so a word with one is a network that was mistyped.
fn text(word: &str) -> Result<FlowCondition, BadParameter> {
    if looks_like_address(word) {
        let problem = format!("{} is not an address; write it in double quotes if it is part of a name", quoted(word));
        return Err(mistake(problem));
    }
    if word.contains('/') {
        return Err(mistake(format!("{} is not a network such as 10.0.0.0/8", quoted(word))));
    }
    Ok(FlowCondition::Text(word.to_lowercase()))
}

fn keyed(key: &str, value: &str) -> Result<FlowCondition, BadParameter> {
    let address = || {
        let problem =
            || format!("{key}:{} is not an address or network such as 10.0.0.5 or 10.0.0.0/8", visible(value));
        network(value).ok_or_else(|| mistake(problem()))
    };
    Ok(match key {
        "host" => FlowCondition::Host(address()?),
        "src" => FlowCondition::Source(address()?),
        "dst" => FlowCondition::Destination(address()?),
        "port" => match value.parse() {
            Ok(port @ 1..) => FlowCondition::Port(port),
            _ => return Err(mistake(format!("port:{} is not a port from 1 to 65535", visible(value)))),
        },
        "service" => FlowCondition::Service(value.to_ascii_lowercase()),
        "protocol" => FlowCondition::Protocol(protocol(value)?),
        "direction" => FlowCondition::Direction(direction(value)?),
        "interface" => FlowCondition::Interface(value.to_owned()),
        _ => FlowCondition::Mac(mac(value).ok_or_else(|| {
            mistake(format!("mac:{} is not a MAC address such as 02:00:00:00:00:05", visible(value)))
        })?),
    })
}

fn protocol(value: &str) -> Result<Protocol, BadParameter> {
    let word = value.to_ascii_lowercase();
    let by_name = || (0..=u8::MAX).map(Protocol).find(|&protocol| protocol_name(protocol) == Some(&word));
    let protocol = word.parse().ok().map(Protocol).or_else(by_name);
    protocol.ok_or_else(|| mistake(format!("protocol:{} is not a protocol such as tcp, udp or 47", visible(value))))
}

fn direction(value: &str) -> Result<Direction, BadParameter> {
    let word = value.to_ascii_lowercase();
    let direction = Direction::ALL.into_iter().find(|direction| direction.label() == word);
    direction.ok_or_else(|| {
        let known = Direction::ALL.map(Direction::label).join(", ");
        mistake(format!("direction:{} is not one of {known}", visible(value)))
    })
}

fn mistake(problem: String) -> BadParameter {
    BadParameter::new("filter", problem)
}
