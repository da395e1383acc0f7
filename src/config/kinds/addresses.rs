//! The kinds of values that are names, addresses or free text.
//!
//! Takes a text, or the bytes of a name; gives the value. Must not know whether there is such an interface, file or
//! host.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ipnet::IpNet;

use super::super::given::Content;
use super::{Scalar, Scalars, ValueKind};
use crate::capture::names;
use crate::capture::printable::is_unsafe;
use crate::http::ListenAddress;
use crate::notify::{check_url, is_base, is_template};

/// A free text, without blanks around it.
pub(crate) const FREE_TEXT: Scalar<String> = Scalar {
    form: "text",
    scalars: Scalars::Text,
    parse: |text| Some(text.trim().to_owned()),
    show: |text| Content::Text(text.clone()),
    parse_raw: None,
};

pub const FILE_NAME: Scalar<PathBuf> = Scalar {
    form: "a file name",
    scalars: Scalars::Text,
    parse: |text| Some(PathBuf::from(text)),
    show: |path| Content::Text(path.to_string_lossy().into_owned()),
    parse_raw: Some(|argument| Some(PathBuf::from(argument))),
};

/// A DNS server.
pub(crate) const RESOLVER: Scalar<SocketAddr> = Scalar {
    form: "an IP address, with or without a port (192.0.2.53, [2001:db8::53]:5353)",
    scalars: Scalars::Text,
    parse: |text| text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT))),
    show: |server| Content::Text(server.to_string()),
    parse_raw: None,
};
const DNS_PORT: u16 = 53;

/// The name of a directory. A slash at its end changes nothing.
pub(crate) const DIRECTORY: Scalar<PathBuf> = Scalar { form: "a directory", ..FILE_NAME };

/// The URL of this program's pages, without a slash at its end.
pub(crate) const PAGES_URL: Scalar<String> = Scalar {
    form: "a URL with https or http and without a query, such as https://monitor.example.net",
    parse: |text| (check_url(text).is_ok() && is_base(text)).then(|| text.trim_end_matches('/').to_owned()),
    ..FREE_TEXT
};

/// The address of the runbooks. A kind is put in place of its placeholders.
pub(crate) const RUNBOOK_URL: Scalar<String> = Scalar {
    form: "a URL with https or http, with or without {kind} and {alert}, such as https://wiki.example.net/runbooks#{alert}",
    parse: |text| is_template(text).then(|| text.to_owned()),
    ..FREE_TEXT
};

/// Bits of the prefix that all IPv4-mapped IPv6 addresses share: `::ffff:0:0/96`.
const MAPPED_PREFIX_BITS: u8 = 96;

/// The longest name of a rule. It is the value of a label.
const LONGEST_RULE_NAME_BYTES: usize = 1_024;

/// The name of a rule, in alerts, metrics and messages.
pub(crate) const RULE_NAME: Scalar<String> = Scalar {
    form: "a name of 1 to 1024 bytes without control or invisible characters",
    parse: |text| {
        let name = text.trim();
        let fits = (1..=LONGEST_RULE_NAME_BYTES).contains(&name.len());
        (fits && !name.contains(is_unsafe)).then(|| name.to_owned())
    },
    ..FREE_TEXT
};

/// The name of an interface as the kernel allows it, or `all` or `any`. The kernel takes names of any bytes; those that
/// are not UTF-8 have a text too.
pub(crate) const INTERFACE_NAME: Scalar<String> = Scalar {
    form: "an interface name (1 to 127 bytes, no slash, colon or space)",
    parse: interface_name,
    parse_raw: Some(|argument| match argument.to_str() {
        Some(text) => interface_name(text.trim()),
        None => interface_name(&names::to_text(argument.as_bytes())),
    }),
    ..FREE_TEXT
};

/// `ALTIFNAMSIZ` less the closing zero: alternative names are longer than others.
const LONGEST_INTERFACE_NAME_BYTES: usize = 127;

fn interface_name(text: &str) -> Option<String> {
    let bytes = names::to_bytes(text);
    let fits = (1..=LONGEST_INTERFACE_NAME_BYTES).contains(&bytes.len()) && text != "." && text != "..";
    let is_plain = !text.contains(|letter: char| letter == '/' || letter == ':' || letter.is_whitespace());
    (fits && is_plain).then(|| text.to_owned())
}

/// A network, or an address as a network of one host. Host bits stay as they were given.
pub(crate) const NETWORK: IpNotation<IpNet> = IpNotation(Scalar {
    form: "a network such as 10.0.0.0/8 or fc00::/7, or an address",
    scalars: Scalars::Text,
    parse: network,
    show: |network| Content::Text(network.to_string()),
    parse_raw: None,
});

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Addresses or networks in the notation that every program reads alike. Refuses leading zeros and IPv4-mapped IPv6
/// addresses, which no packet has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpNotation<T>(Scalar<T>);

impl<T> ValueKind for IpNotation<T> {
    type Value = T;

    fn form(&self) -> String {
        self.0.form()
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        if let Some(meant) = without_leading_zeros(text).filter(|meant| network(meant).is_some()) {
            return Err(format!("some programs read leading zeros as octal; did you mean {meant}?"));
        }
        if let Some(meant) = network(text).and_then(unmapped) {
            let meant = if text.contains('/') { meant.to_string() } else { meant.addr().to_string() };
            return Err(format!("no packet has an IPv4-mapped IPv6 address; did you mean {meant}?"));
        }
        self.0.parse(text)
    }

    fn show(&self, value: &T) -> Content {
        self.0.show(value)
    }
}

/// The text with the numbers of its IPv4 address and of its prefix without leading zeros; none if there are none.
fn without_leading_zeros(text: &str) -> Option<String> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let (before, v4) = address.rsplit_once(':').map_or(("", address), |(before, v4)| (before, v4));
    let numbers: Vec<&str> = v4.split('.').map(without_zeros).collect();
    let v4 = if numbers.len() > 1 { numbers.join(".") } else { v4.to_owned() };
    let colon = if address.contains(':') { ":" } else { "" };
    let prefix = prefix.map(|prefix| format!("/{}", without_zeros(prefix))).unwrap_or_default();
    Some(format!("{before}{colon}{v4}{prefix}")).filter(|stripped| stripped != text)
}

fn without_zeros(number: &str) -> &str {
    match number.trim_start_matches('0') {
        "" if !number.is_empty() => "0",
        stripped => stripped,
    }
}

/// The IPv4 network that a network of IPv4-mapped addresses (RFC 4291, section 2.5.5.2) stands for.
fn unmapped(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else { return None };
    let length = network.prefix_len().checked_sub(MAPPED_PREFIX_BITS)?;
    IpNet::new(network.addr().to_ipv4_mapped()?.into(), length).ok()
}

/// A network without host bits, or an address as a network of one host. Host bits would leave open which network is
/// meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeNetwork;

impl ValueKind for WholeNetwork {
    type Value = IpNet;

    fn form(&self) -> String {
        NETWORK.form()
    }

    fn parse(&self, text: &str) -> Result<IpNet, String> {
        let network = NETWORK.parse(text)?;
        let meant = network.trunc();
        if meant == network { Ok(network) } else { Err(format!("host bits are set; did you mean {meant}?")) }
    }

    fn show(&self, network: &IpNet) -> Content {
        NETWORK.show(network)
    }
}

/// An address, also as `ip address` prints it, with the bits of its network behind it.
pub(crate) const ADDRESS: IpNotation<IpAddr> = IpNotation(Scalar {
    form: "an address such as 192.0.2.1 or 192.0.2.1/24",
    scalars: Scalars::Text,
    parse: |text| network(text).map(|network| network.addr()),
    show: |address| Content::Text(address.to_string()),
    parse_raw: None,
});

pub(crate) const LISTEN_ADDRESS: Scalar<ListenAddress> = Scalar {
    form: "[HOST]:PORT, such as :8888, localhost:8888 or [::1]:8888",
    scalars: Scalars::Text,
    parse: |text| text.parse().ok(),
    show: |address| Content::Text(address.to_string()),
    parse_raw: None,
};
