//! The kinds of values that are names, addresses or free text.

use std::ffi::OsStr;
use std::fmt::Display;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ipnet::IpNet;

use super::super::given::Content;
use super::{Scalars, ValueKind};
use crate::capture::names;
use crate::http::ListenAddress;

/// A free text, without blanks around it.
#[derive(Debug, Clone, Copy)]
pub struct FreeText;

impl ValueKind for FreeText {
    type Value = String;

    fn form(&self) -> String {
        "text".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    fn parse(&self, text: &str) -> Result<String, String> {
        Ok(text.trim().to_owned())
    }

    fn show(&self, text: &String) -> Content {
        Content::Text(text.clone())
    }
}

/// The name of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileName;

impl ValueKind for FileName {
    type Value = PathBuf;

    fn form(&self) -> String {
        "a file name".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    fn parse(&self, text: &str) -> Result<PathBuf, String> {
        Ok(PathBuf::from(text))
    }

    fn parse_argument(&self, argument: &OsStr) -> Result<PathBuf, String> {
        Ok(PathBuf::from(argument))
    }

    fn show(&self, path: &PathBuf) -> Content {
        Content::Text(path.to_string_lossy().into_owned())
    }
}

/// The name of an interface as the kernel allows it, or `all` or `any`.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceName;

/// `ALTIFNAMSIZ` less the closing zero: alternative names are longer than others.
const LONGEST_INTERFACE_NAME_BYTES: usize = 127;

impl ValueKind for InterfaceName {
    type Value = String;

    fn form(&self) -> String {
        "an interface name (1 to 127 bytes, no slash, colon or space)".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    fn parse(&self, text: &str) -> Result<String, String> {
        let bytes = names::to_bytes(text);
        let fits = (1..=LONGEST_INTERFACE_NAME_BYTES).contains(&bytes.len()) && text != "." && text != "..";
        let is_plain = !text.contains(|letter: char| letter == '/' || letter == ':' || letter.is_whitespace());
        if fits && is_plain { Ok(text.to_owned()) } else { Err(self.expected()) }
    }

    /// The kernel takes names of any bytes; those that are not UTF-8 have a text too.
    fn parse_argument(&self, argument: &OsStr) -> Result<String, String> {
        match argument.to_str() {
            Some(text) => self.parse(text.trim()),
            None => self.parse(&names::to_text(argument.as_bytes())),
        }
    }

    fn show(&self, name: &String) -> Content {
        Content::Text(name.clone())
    }
}

/// A value with a standard notation.
#[derive(Debug, Clone, Copy)]
pub struct Notation<T> {
    form: &'static str,
    read: fn(&str) -> Option<T>,
}

/// A network, or an address as a network of one host. Host bits stay as they were given.
pub const NETWORK: Notation<IpNet> = Notation {
    form: "a network such as 10.0.0.0/8 or fc00::/7, or an address",
    read: |text| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)),
};
/// An address, also as `ip address` prints it, with the bits of its network behind it.
pub const ADDRESS: Notation<IpAddr> = Notation {
    form: "an address such as 192.0.2.1 or 192.0.2.1/24",
    read: |text| text.parse().ok().or_else(|| text.parse::<IpNet>().ok().map(|network| network.addr())),
};
/// An address to listen on.
pub const LISTEN_ADDRESS: Notation<ListenAddress> =
    Notation { form: "[HOST]:PORT, such as :8888, localhost:8888 or [::1]:8888", read: |text| text.parse().ok() };

impl<T: Display> ValueKind for Notation<T> {
    type Value = T;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        (self.read)(text).ok_or_else(|| self.expected())
    }

    fn show(&self, value: &T) -> Content {
        Content::Text(value.to_string())
    }
}
