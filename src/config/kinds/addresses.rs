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
pub(crate) const NETWORK: Scalar<IpNet> = Scalar {
    form: "a network such as 10.0.0.0/8 or fc00::/7, or an address",
    scalars: Scalars::Text,
    parse: |text| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)),
    show: |network| Content::Text(network.to_string()),
    parse_raw: None,
};

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
pub(crate) const ADDRESS: Scalar<IpAddr> = Scalar {
    form: "an address such as 192.0.2.1 or 192.0.2.1/24",
    scalars: Scalars::Text,
    parse: |text| text.parse().ok().or_else(|| text.parse::<IpNet>().ok().map(|network| network.addr())),
    show: |address| Content::Text(address.to_string()),
    parse_raw: None,
};

pub(crate) const LISTEN_ADDRESS: Scalar<ListenAddress> = Scalar {
    form: "[HOST]:PORT, such as :8888, localhost:8888 or [::1]:8888",
    scalars: Scalars::Text,
    parse: |text| text.parse().ok(),
    show: |address| Content::Text(address.to_string()),
    parse_raw: None,
};
