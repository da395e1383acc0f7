//! The link types of files.
//!
//! Takes libpcap's number for a handle (`DLT_`); gives the number that files have (`LINKTYPE_`). Must not know frames.

/// The few numbers that differ on Linux. 14 is OpenBSD's `DLT_RAW`, which `decode` reads as such.
const DIFFERENT: [(i32, u16); 6] = [
    (11, 100), // ATM, RFC 1483
    (12, 101), // raw IP
    (14, 101), // raw IP
    (15, 102), // SLIP of BSD/OS
    (16, 103), // PPP of BSD/OS
    (19, 106), // classical IP over ATM
];

/// The number in files. The reserved number 65535 stands for what no file can express.
pub(super) fn in_files(link_type: i32) -> u16 {
    let different = DIFFERENT.into_iter().find(|(of_handle, _)| *of_handle == link_type);
    different.map_or_else(|| u16::try_from(link_type).unwrap_or(u16::MAX), |(_, of_file)| of_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ip_has_another_number_in_files_and_ethernet_the_same() {
        assert_eq!([1, 12, 14, 101, 113, 228, 276].map(in_files), [1, 101, 101, 101, 113, 228, 276]);
        assert_eq!([-1, 1 << 20].map(in_files), [u16::MAX; 2]);
    }
}
