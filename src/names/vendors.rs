//! The vendors of Ethernet addresses. Takes the bytes of IEEE's lists (`oui.csv`, `oui.txt`) or of Wireshark's `manuf`;
//! gives the vendor of an address. Must not know files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::text::clean;

/// The most prefixes; IEEE has assigned about 60,000.
const MOST_PREFIXES: usize = 1 << 18;
/// The most bytes of a vendor's name.
const LONGEST_VENDOR: usize = 80;
/// The lengths of prefixes in bits, the longest first: MA-S, MA-M and MA-L.
const LENGTHS: [u8; 3] = [36, 28, 24];

/// The bit of the first byte of an address that no vendor assigned (IEEE 802, section 8.4). Phones use such addresses at
/// random.
const LOCALLY_ADMINISTERED: u8 = 0x02;
/// Stands in the place of the vendor of such an address.
pub(super) const RANDOM: &str = "locally administered (may be random)";

/// The places of lists that systems have, in the order of preference.
const SYSTEM_FILES: [&str; 5] = [
    "/var/lib/ieee-data/oui.csv",
    "/usr/share/ieee-data/oui.csv",
    "/usr/share/wireshark/manuf",
    "/usr/share/wireshark/wireshark/manuf",
    "/usr/share/hwdata/oui.txt",
];
/// The lists of longer prefixes, which stand beside `oui.csv`.
const LONGER_PREFIXES: [&str; 2] = ["mam.csv", "oui36.csv"];

/// The files to read: `given` or else the first one that the system has, with those of longer prefixes beside it.
pub(super) fn files(given: Option<&Path>) -> Vec<PathBuf> {
    let first =
        given.map(Path::to_owned).or_else(|| SYSTEM_FILES.iter().map(PathBuf::from).find(|path| path.is_file()));
    let Some(first) = first else { return Vec::new() };
    let is_ieee = first.file_name().is_some_and(|name| name == "oui.csv");
    let beside = LONGER_PREFIXES.iter().map(|name| first.with_file_name(name)).filter(|path| is_ieee && path.is_file());
    let longer: Vec<PathBuf> = beside.collect();
    std::iter::once(first).chain(longer).collect()
}

/// True for the address of a device that a vendor assigned.
pub(super) const fn is_assigned(mac: [u8; 6]) -> bool {
    mac[0] & LOCALLY_ADMINISTERED == 0
}

/// A prefix, and its vendor's place in the text of all names. 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct VendorPrefix {
    /// As [`key`] gives it.
    key: u64,
    start: u32,
    bytes: u8,
}

/// The first bits of addresses, followed by zeros, and the number of these bits in the last byte.
const fn key(bits: u64, length: u8) -> u64 {
    bits << 8 | length as u64
}

/// Vendors by prefix.
#[derive(Debug, Default)]
pub(super) struct Vendors {
    prefixes: Vec<VendorPrefix>,
    names: String,
    /// Prefixes that did not fit.
    refused: u64,
}

impl Vendors {
    /// The vendors of all `files` together. Of several lines about a prefix the first counts.
    pub(super) fn parse<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut vendors = Self::default();
        for file in files {
            let text = String::from_utf8_lossy(file);
            text.lines().filter_map(parse_line).for_each(|(bits, length, name)| vendors.put(bits, length, &name));
        }
        vendors.prefixes.sort();
        vendors.prefixes.dedup_by_key(|prefix| prefix.key);
        vendors.prefixes.shrink_to_fit();
        vendors
    }

    fn put(&mut self, bits: u64, length: u8, name: &str) {
        let Some(name) = clean(name, LONGEST_VENDOR) else { return };
        let (Ok(start), Ok(bytes)) = (u32::try_from(self.names.len()), u8::try_from(name.len())) else { return };
        if self.prefixes.len() < MOST_PREFIXES {
            self.prefixes.push(VendorPrefix { key: key(bits, length), start, bytes });
            self.names.push_str(&name);
        } else {
            self.refused += 1;
        }
    }

    /// The vendor of an address.
    pub(super) fn of(&self, mac: [u8; 6]) -> Option<&str> {
        if !is_assigned(mac) {
            return Some(RANDOM);
        }
        let [a, b, c, d, e, f] = mac;
        let address = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        LENGTHS.iter().find_map(|&length| {
            let key = key(masked(address, length), length);
            let at = self.prefixes.binary_search_by_key(&key, |prefix| prefix.key).ok()?;
            let VendorPrefix { start, bytes, .. } = self.prefixes[at];
            self.names.get(start as usize..start as usize + usize::from(bytes))
        })
    }

    /// The number of prefixes that did not fit.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The number of prefixes.
    pub(super) fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Memory in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.prefixes.capacity() * size_of::<VendorPrefix>() + self.names.capacity()
    }
}

const fn masked(address: u64, length: u8) -> u64 {
    address >> (48 - length) << (48 - length)
}

/// The prefix of a line, its length in bits, and the vendor.
fn parse_line(line: &str) -> Option<(u64, u8, Cow<'_, str>)> {
    ieee_csv(line).or_else(|| ieee_text(line)).or_else(|| manuf(line))
}

/// `MA-L,001BC5,"IEEE, Inc.",address`
fn ieee_csv(line: &str) -> Option<(u64, u8, Cow<'_, str>)> {
    let (registry, rest) = line.split_once(',')?;
    let (digits, rest) = rest.split_once(',')?;
    let is_known = matches!(registry, "MA-L" | "MA-M" | "MA-S" | "IAB" | "CID");
    let (bits, length) = prefix(digits, None).filter(|_| is_known)?;
    let name = match rest.strip_prefix('"') {
        Some(quoted) => Cow::Owned(unquoted(quoted)?),
        None => Cow::Borrowed(rest.split(',').next().unwrap_or_default()),
    };
    Some((bits, length, name))
}

/// The text before the closing quote. Quotes in it are doubled.
fn unquoted(quoted: &str) -> Option<String> {
    let (mut text, mut letters) = (String::new(), quoted.chars().peekable());
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.next_if_eq(&'"').is_none() {
            return Some(text);
        }
        text.push(letter);
    }
    None
}

/// A line of `oui.txt`: `00-1B-C5   (hex)`, then the vendor after tabs.
fn ieee_text(line: &str) -> Option<(u64, u8, Cow<'_, str>)> {
    let (digits, name) = line.split_once("(hex)")?;
    let (bits, length) = prefix(digits.trim(), None)?;
    Some((bits, length, Cow::Borrowed(name)))
}

/// A line of `manuf`: `00:1B:C5` or `00:1B:C5:00:10:00/36`, a short and a long name, with tabs between.
fn manuf(line: &str) -> Option<(u64, u8, Cow<'_, str>)> {
    let mut fields = line.split('\t');
    let (digits, length) = match fields.next()?.trim().split_once('/') {
        Some((digits, length)) => (digits, Some(length.parse().ok()?)),
        None => (line.split('\t').next()?.trim(), None),
    };
    let (bits, length) = prefix(digits, length)?;
    let short = fields.next()?;
    let long = fields.next().filter(|long| !long.trim().is_empty());
    Some((bits, length, Cow::Borrowed(long.unwrap_or(short))))
}

/// The bits of a prefix in hexadecimal digits, with or without separators. Without a length the digits have it.
fn prefix(text: &str, length: Option<u8>) -> Option<(u64, u8)> {
    let (mut bits, mut digits) = (0_u64, 0_u8);
    for letter in text.chars().filter(|letter| !matches!(letter, ':' | '-' | '.')) {
        if digits == 12 {
            return None;
        }
        bits = bits << 4 | u64::from(letter.to_digit(16)?);
        digits += 1;
    }
    let length = length.unwrap_or(digits * 4);
    let is_known = LENGTHS.contains(&length) && length <= digits * 4;
    is_known.then(|| (masked(bits << (48 - digits * 4), length), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(files: &[&str], mac: [u8; 6]) -> Option<String> {
        Vendors::parse(files.iter().map(|file| file.as_bytes())).of(mac).map(str::to_owned)
    }

    const MAC: [u8; 6] = [0, 0x1b, 0xc5, 0x00, 0x1a, 0xbc];

    #[test]
    fn each_list_is_read_and_the_longest_prefix_counts() {
        let csv = "Registry,Assignment,Organization Name,Organization Address\nMA-L,001BC5,\"IEEE, \"\"Inc\"\"\",x\nMA-L,0050C2,Plain Inc,y\n";
        assert_eq!(vendor(&[csv], MAC).as_deref(), Some("IEEE, \"Inc\""));
        assert_eq!(vendor(&[csv], [0, 0x50, 0xc2, 0, 0, 0]).as_deref(), Some("Plain Inc"));
        let longer = "MA-S,001BC5001,Small Ltd,z\n";
        assert_eq!(vendor(&[csv, longer], MAC).as_deref(), Some("Small Ltd"));
        assert_eq!(vendor(&[csv, longer], [0, 0x1b, 0xc5, 0x00, 0x2a, 0]).as_deref(), Some("IEEE, \"Inc\""));
        assert_eq!(vendor(&["MA-M,001BC50,Medium,z\n"], MAC).as_deref(), Some("Medium"));
        let text = "OUI/MA-L\t\t\tOrganization\n00-1B-C5   (hex)\t\tIEEE Text\n001BC5     (base 16)\t\tIEEE Text\n";
        assert_eq!(vendor(&[text], MAC).as_deref(), Some("IEEE Text"));
        let manuf =
            "# comment\n00:1B:C5\tIeee\tIEEE Manuf\n00:1B:C5:00:10:00/36\tSmall\tSmall Manuf\n00:50:C2\tShort\n";
        assert_eq!(vendor(&[manuf], MAC).as_deref(), Some("Small Manuf"));
        assert_eq!(vendor(&[manuf], [0, 0x50, 0xc2, 0, 0, 0]).as_deref(), Some("Short"));
        assert_eq!(vendor(&[manuf], [0, 0x50, 0xc3, 0, 0, 0]), None);
    }

    #[test]
    fn random_address_says_so() {
        assert_eq!(vendor(&["MA-L,021BC5,Nobody,x\n"], [0x02, 0x1b, 0xc5, 0, 0, 0]).as_deref(), Some(RANDOM));
    }

    #[test]
    fn hostile_lines_are_left_out_or_made_printable() {
        for line in [
            "MA-L,001BC,Short,x",
            "MA-L,001BC5G,x,y",
            "MA-X,001BC5,x,y",
            "MA-L,001BC5,\"open",
            "MA-L,001BC5,,y",
            "00:1B:C5/99\tx",
            "00:1B:C5/36\tx",
            "00:1B:C5:00:00:00:00\tx",
            "00:1B:C5",
            "MA-L",
            ",,,",
            "é:\tx",
        ] {
            assert_eq!(vendor(&[line], MAC), None, "{line}");
        }
        let long = format!("MA-L,001BC5,a\u{1b}b{},y", "x".repeat(10_000));
        let name = vendor(&[&long], MAC).unwrap();
        assert!(name.starts_with("a\u{fffd}bx") && name.len() <= LONGEST_VENDOR);
        assert_eq!(Vendors::parse([b"\xff\xfe,\xff".as_slice()]).len(), 0);
    }

    #[test]
    fn prefixes_are_bounded_and_small() {
        let file: String = (0..MOST_PREFIXES + 10).map(|number| format!("{number:07X}\tv\n")).collect();
        let vendors = Vendors::parse([file.as_bytes()]);
        assert_eq!((vendors.len(), vendors.refused()), (MOST_PREFIXES, 10));
        assert!(vendors.memory_bytes() < MOST_PREFIXES * 40, "{}", vendors.memory_bytes());
    }

    #[test]
    fn lists_of_longer_prefixes_beside_the_first_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let [oui, longer, manuf] = ["oui.csv", "oui36.csv", "manuf"].map(|name| folder.path().join(name));
        [&oui, &longer, &manuf].into_iter().for_each(|path| std::fs::write(path, "").unwrap());
        assert_eq!(files(Some(&oui)), [oui, longer]);
        assert_eq!(files(Some(&manuf)), [manuf]);
    }
}
