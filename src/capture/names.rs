//! Names of interfaces as text. Takes the bytes of a name and gives text for labels, messages and settings; takes such
//! a text and gives the bytes for the kernel and libpcap. Must not know the use of a name.
//!
//! The kernel allows any bytes in a name but slashes, colons and white space.

/// An escape: a backslash, `x`, and two hexadecimal digits.
const ESCAPE_LETTERS: usize = 4;

/// The text of a name. Bytes that are not UTF-8 are escaped (`\xff`). If there are any, or if the name itself looks as
/// if it had an escape, backslashes are escaped too. So two names never have the same text.
pub fn to_text(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if (0..name.len()).all(|at| escaped(name, at).is_none()) => text.to_owned(),
        _ => name.utf8_chunks().fold(String::new(), |text, chunk| {
            let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            text + &chunk.valid().replace('\\', "\\x5c") + &invalid
        }),
    }
}

/// The bytes of the name that has this text.
pub fn to_bytes(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut name = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escaped = escaped(text, at);
        name.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { ESCAPE_LETTERS } else { 1 };
    }
    name
}

/// The byte that an escape at this place stands for.
fn escaped(text: &[u8], at: usize) -> Option<u8> {
    let [b'\\', b'x', high, low] = *text.get(at..at + ESCAPE_LETTERS)? else { return None };
    let digit = |letter: u8| char::from(letter).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// True if libpcap has a device of its own with this name (`any`, netfilter's logs, Bluetooth, USB, D-Bus). An
/// interface of that name cannot be captured.
pub(super) fn is_of_libpcap(name: &str) -> bool {
    let is_numbered = |kind: &str| {
        let number = name.strip_prefix(kind).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    matches!(name, "any" | "nflog" | "nfqueue" | "dbus-system" | "dbus-session")
        || is_numbered("bluetooth")
        || is_numbered("usbmon")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_is_text_stays_as_it_is() {
        for name in ["eth0", "ünï", "a,b", "a\\b", "a\\xg0", "\\x4"] {
            assert_eq!((to_text(name.as_bytes()).as_str(), to_bytes(name)), (name, name.as_bytes().to_vec()));
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        for (name, text) in [
            (&b"eth\xff"[..], "eth\\xff"),
            (b"\xc3(", "\\xc3("),
            (b"\xff\\", "\\xff\\x5c"),
            (b"\\xff", "\\x5cxff"),
            (b"\xc3\xbc\xff", "ü\\xff"),
        ] {
            assert_eq!((to_text(name).as_str(), to_bytes(text)), (text, name.to_vec()));
        }
    }

    proptest! {
        #[test]
        fn every_name_is_read_back_as_it_was(name in prop::collection::vec(prop::sample::select(b"\\x0fF\xff\xc3\xbca,".to_vec()), 0..16)) {
            prop_assert_eq!(to_bytes(&to_text(&name)), name);
        }
    }

    #[test]
    fn libpcap_has_devices_of_its_own() {
        for name in ["any", "nflog", "nfqueue", "usbmon0", "bluetooth12", "dbus-system"] {
            assert!(is_of_libpcap(name), "{name}");
        }
        for name in ["eth0", "any0", "anyone", "usbmon", "bluetooth", "bluetooth1a", "nflog1", ""] {
            assert!(!is_of_libpcap(name), "{name}");
        }
    }
}
