//! The values of settings that are words, names or addresses.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Serializer;

use super::value::{Scalars, Value, expected};
use super::{LogFormat, LogLevel};
use crate::account::FlowKeying;
use crate::capture::names;
use crate::http::ListenAddress;

impl Value for bool {
    const EXPECTED: &'static str = "true or false";
    const SCALARS: Scalars = Scalars::Truth;

    /// The words of Go's flag package.
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(expected::<Self>()),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }
}

impl Value for String {
    const EXPECTED: &'static str = "text";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a file name";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn from_argument(argument: &OsStr) -> Result<Self, String> {
        Ok(Self::from(argument))
    }

    fn text(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

/// An interface's name as the kernel allows it, or `all` or `any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceName(pub String);

/// `ALTIFNAMSIZ` less the closing zero: alternative names are longer than others.
const LONGEST_INTERFACE_NAME_BYTES: usize = 127;

impl Value for InterfaceName {
    const EXPECTED: &'static str = "an interface name (1 to 127 bytes, no slash, colon or space)";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let bytes = names::to_bytes(text);
        let fits = (1..=LONGEST_INTERFACE_NAME_BYTES).contains(&bytes.len()) && text != "." && text != "..";
        let plain = !text.contains(|letter: char| letter == '/' || letter == ':' || letter.is_whitespace());
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(expected::<Self>()) }
    }

    /// The kernel takes names of any bytes; those that are not UTF-8 have a text too.
    fn from_argument(argument: &OsStr) -> Result<Self, String> {
        match argument.to_str() {
            Some(text) => Self::from_text(text.trim()),
            None => Self::from_text(&names::to_text(argument.as_bytes())),
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// A network; host bits stay as written, for [`super::Settings::validate`] to speak of.
impl Value for IpNet {
    const EXPECTED: &'static str = "a network such as 10.0.0.0/8 or fc00::/7, or an address";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        network.map_err(|_| expected::<Self>())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// An address, also as `ip address` prints it, with the bits of its network behind it.
impl Value for IpAddr {
    const EXPECTED: &'static str = "an address such as 192.0.2.1 or 192.0.2.1/24";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let address = text.parse().or_else(|_| text.parse::<IpNet>().map(|network| network.addr()));
        address.map_err(|_| expected::<Self>())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for ListenAddress {
    const EXPECTED: &'static str = "[HOST]:PORT, such as :8888, localhost:8888 or [::1]:8888";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| expected::<Self>())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// The names of the flow keys, as `--flow-key` takes them.
const FLOW_KEYS: [(&str, FlowKeying); 3] =
    [("service", FlowKeying::Service), ("dst-port", FlowKeying::DestinationPort), ("pair", FlowKeying::Pair)];

impl Value for FlowKeying {
    const EXPECTED: &'static str = "service, dst-port or pair";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let known = FLOW_KEYS.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, keying)| keying).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        let name = match self {
            Self::Service => "service",
            Self::DestinationPort => "dst-port",
            Self::Pair => "pair",
        };
        name.to_owned()
    }
}

impl Value for LogLevel {
    const EXPECTED: &'static str = "error, warn, info, debug or trace";
    const SCALARS: Scalars = Scalars::Text;

    /// Takes the words of the seeds' `-loglevel` too: nothing here is graver than an error.
    fn from_text(text: &str) -> Result<Self, String> {
        let name = if matches!(text, "fatal" | "panic") { "error" } else { text };
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for LogFormat {
    const EXPECTED: &'static str = "logfmt or json";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            "console" | "csv" | "jsonl" => {
                Err(format!("this is a value of --log-format (the format of policy events); {}", expected::<Self>()))
            }
            _ => Err(expected::<Self>()),
        }
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::List;
    use super::*;

    #[test]
    fn interface_names_are_what_the_kernel_allows() {
        for name in ["e", "eth0.10", "br-0123456789ab", "wlp0s20f3", "veth@x", "ünï"] {
            assert!(InterfaceName::from_text(name).is_ok(), "{name}");
        }
        let longest = "x".repeat(LONGEST_INTERFACE_NAME_BYTES);
        assert!(InterfaceName::from_text(&longest).is_ok(), "alternative names are long");
        for name in ["", ".", "..", "a/b", "a b", "a\tb", "eth0:1", &(longest + "x")] {
            assert!(InterfaceName::from_text(name).is_err(), "{name}");
        }
    }

    #[test]
    fn interface_names_need_not_be_utf_8() {
        let read =
            |bytes: &[u8]| List::<InterfaceName>::from_argument(OsStr::from_bytes(bytes)).map(|list| list.text());
        assert_eq!(read(b"eth0,\xffwan"), Ok("eth0,\\xffwan".to_owned()));
        assert_eq!(read(b"eth0,\\xffwan"), Ok("eth0,\\xffwan".to_owned()), "as it is shown");
        assert!(read(b"\xff/").is_err());
    }

    #[test]
    fn names_in_quotes_may_contain_commas() {
        let read = |text| List::<InterfaceName>::from_text(text).map(|List(names)| names);
        let names = |names: &[&str]| Ok(names.iter().map(|name| InterfaceName((*name).to_owned())).collect::<Vec<_>>());
        assert_eq!(read("\"a,b\""), names(&["a,b"]));
        assert_eq!(read("lo, \"a,b\" ,\"c\",d"), names(&["lo", "a,b", "c", "d"]));
        assert_eq!(read("a\"b,c"), names(&["a\"b", "c"]), "a quote amid a name is a letter");
        let list = List(names(&["a,b", "c"]).unwrap());
        assert_eq!(read(&list.text()), Ok(list.0));
    }

    #[test]
    fn truth_is_written_as_go_takes_it() {
        for (text, truth) in
            [("1", true), ("T", true), ("TRUE", true), ("true", true), ("0", false), ("f", false), ("False", false)]
        {
            assert_eq!(bool::from_text(text), Ok(truth), "{text}");
        }
        for text in ["yes", "on", "tRUE", "2"] {
            assert!(bool::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_are_split_at_commas_and_stripped_of_quotes() {
        let list = List::<InterfaceName>::from_text("\"lo\", dummy0 ,\"eth0\"").unwrap();
        assert_eq!(list.text(), "lo,dummy0,eth0");
        for text in ["a,,b", ",", "a,", "\"\""] {
            assert!(List::<InterfaceName>::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_may_be_addresses_and_addresses_may_carry_their_network() {
        for (text, network) in
            [("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.1", "192.0.2.1/32"), ("2001:db8::1", "2001:db8::1/128")]
        {
            assert_eq!(IpNet::from_text(text).unwrap().to_string(), network);
        }
        for (text, address) in [("192.0.2.1", "192.0.2.1"), ("192.0.2.1/24", "192.0.2.1"), ("fe80::1/64", "fe80::1")] {
            assert_eq!(IpAddr::from_text(text).unwrap().to_string(), address);
        }
        for text in ["10.0.0.0/33", "10/8", "x", "10.0.0.1%eth0", "010.0.0.1"] {
            assert!(IpNet::from_text(text).is_err() && IpAddr::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_words_of_the_enumerations_are_read_as_they_are_written() {
        for (name, keying) in FLOW_KEYS {
            assert_eq!((FlowKeying::from_text(name), keying.text().as_str()), (Ok(keying), name));
        }
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::from_text(level.name()), Ok(level));
        }
        for format in [LogFormat::Logfmt, LogFormat::Json] {
            assert_eq!(LogFormat::from_text(format.name()), Ok(format));
        }
        assert_eq!(LogLevel::from_text("fatal"), Ok(LogLevel::Error));
    }
}
