//! Asks the kernel whether an interface joins or splits frames, by the system call of ethtool(8). Takes a name; gives
//! true or false. Must not know captures.

use std::io;

/// ethtool's questions (`linux/ethtool.h`): whether TSO, GSO and GRO are on, and flags of which one is LRO.
const OFFLOADS: [u32; 3] = [0x1e, 0x23, 0x2b]; // ETHTOOL_GTSO, ETHTOOL_GGSO, ETHTOOL_GGRO
const FLAGS: u32 = 0x25; // ETHTOOL_GFLAGS
const LARGE_RECEIVE: u32 = 1 << 15; // ETH_FLAG_LRO

/// The number of features that the kernel knows, their names and their states. LRO, GRO and GRO in hardware are among
/// them; only this list has GRO in hardware.
const SET_INFO: u32 = 0x37; // ETHTOOL_GSSET_INFO
const NAMES: u32 = 0x1b; // ETHTOOL_GSTRINGS
const STATES: u32 = 0x3a; // ETHTOOL_GFEATURES
const FEATURES: u32 = 4; // ETH_SS_FEATURES
const GRO_IN_HARDWARE: &str = "rx-gro-hw";
/// ETH_GSTRING_LEN, as words.
const NAME_WORDS: usize = 8;
/// Words before the names (`struct ethtool_gstrings`) and before the states (`struct ethtool_gfeatures`).
const BEFORE_NAMES: usize = 3;
const BEFORE_STATES: usize = 2;
/// Words for 32 features: available, requested, active, never changed.
const STATE_WORDS: usize = 4;
const ACTIVE: usize = 2;

/// True if the interface with this name splits frames after a capture has seen them, or joins them before (TSO, GSO,
/// GRO, LRO).
///
/// # Errors
/// When the kernel refuses to answer.
pub fn splits_or_joins(interface: &[u8]) -> io::Result<bool> {
    for question in OFFLOADS {
        if value(interface, question)? != 0 {
            return Ok(true);
        }
    }
    Ok(value(interface, FLAGS)? & LARGE_RECEIVE != 0 || is_on(interface, GRO_IN_HARDWARE)?)
}

/// True if the feature that the kernel calls `name` is on. An unknown feature is off.
fn is_on(interface: &[u8], name: &str) -> io::Result<bool> {
    let count = feature_count(interface)?;
    // A driver, or a kernel in between, may know none; there is no answer to ask for then.
    if count == 0 {
        return Ok(false);
    }
    let mut names = vec![0; BEFORE_NAMES + count * NAME_WORDS];
    names[..BEFORE_NAMES].copy_from_slice(&[NAMES, FEATURES, count as u32]);
    ask(interface, &mut names)?;
    let Some(place) = names[BEFORE_NAMES..].chunks(NAME_WORDS).position(|words| spells(words, name)) else {
        return Ok(false);
    };
    let blocks = count.div_ceil(32);
    let mut states = vec![0; BEFORE_STATES + blocks * STATE_WORDS];
    states[..BEFORE_STATES].copy_from_slice(&[STATES, blocks as u32]);
    ask(interface, &mut states)?;
    Ok(states[BEFORE_STATES + place / 32 * STATE_WORDS + ACTIVE] >> (place % 32) & 1 != 0)
}

/// True if the words are the bytes of `name` and a terminating zero.
fn spells(words: &[u32], name: &str) -> bool {
    let bytes = words.iter().flat_map(|word| word.to_ne_bytes());
    bytes.take_while(|&byte| byte != 0).eq(name.bytes())
}

/// `struct ethtool_sset_info`: the question, a gap, the sets asked for (64 bits), a number for each of them.
fn feature_count(interface: &[u8]) -> io::Result<usize> {
    let sets = 1_u64 << FEATURES;
    let [a, b, c, d, e, f, g, h] = sets.to_ne_bytes();
    let sets = [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])];
    let mut answer = [SET_INFO, 0, sets[0], sets[1], 0];
    ask(interface, &mut answer)?;
    Ok(feature_count_of(answer))
}

/// The number in the answer. The kernel leaves out the number of a set that it does not know, and its bit.
fn feature_count_of(answer: [u32; 5]) -> usize {
    let is_known = answer[2..4].iter().any(|&sets| sets != 0);
    if is_known { answer[4] as usize } else { 0 }
}

/// `struct ethtool_value`: the question and a number.
fn value(interface: &[u8], question: u32) -> io::Result<u32> {
    let mut answer = [question, 0];
    ask(interface, &mut answer)?;
    Ok(answer[1])
}

/// Sends the request at the start of `answer`, which is as long as the kernel's answer to it.
fn ask(interface: &[u8], answer: &mut [u32]) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(interface.iter().take(libc::IFNAMSIZ - 1)) {
        *to = from.cast_signed();
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_data: answer.as_mut_ptr().cast() };
    let mut request = libc::ifreq { ifr_name: name, ifr_ifru };
    // SAFETY: the request and the answer that it points to outlive the call. The kernel writes a number after the
    // request (`value`), a number for the one requested set (`feature_count`), as many names as features that it
    // reported, which stays the same while it runs (`is_on`), and as many states as the request has space for
    // (`is_on`). The descriptor is closed at once.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let result = libc::ioctl(fd, libc::SIOCETHTOOL as libc::Ioctl, std::ptr::from_mut(&mut request));
        let error = io::Error::last_os_error();
        libc::close(fd);
        if result == 0 { Ok(()) } else { Err(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_by_name_agree_with_the_older_requests() {
        let [_, segmentation, joining] = OFFLOADS.map(|question| value(b"lo", question).unwrap() != 0);
        assert_eq!(is_on(b"lo", "tx-generic-segmentation").unwrap(), segmentation);
        assert_eq!(is_on(b"lo", "rx-gro").unwrap(), joining);
        assert_eq!(is_on(b"lo", "rx-lro").unwrap(), value(b"lo", FLAGS).unwrap() & LARGE_RECEIVE != 0);
        // On every loopback device, where no other feature stands before it in the names.
        assert!(is_on(b"lo", "loopback").unwrap());
        assert!(!is_on(b"lo", GRO_IN_HARDWARE).unwrap());
    }

    #[test]
    fn set_that_the_kernel_does_not_know_has_no_features() {
        assert_eq!(feature_count_of([SET_INFO, 0, 1 << FEATURES, 0, 47]), 47);
        assert_eq!(feature_count_of([SET_INFO, 0, 1 << FEATURES, 0, 0]), 0);
        assert_eq!(feature_count_of([SET_INFO, 0, 0, 0, 47]), 0);
    }

    #[test]
    fn feature_names_match_only_as_a_whole() {
        let words = |text: &str| -> Vec<u32> {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(NAME_WORDS * 4, 0);
            bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
        };
        assert!(spells(&words(GRO_IN_HARDWARE), GRO_IN_HARDWARE));
        for other in ["rx-gro", "rx-gro-hw-2", ""] {
            assert!(!spells(&words(other), GRO_IN_HARDWARE), "{other}");
        }
    }

    #[test]
    fn unknown_interface_is_an_error() {
        assert!(is_on(b"no-such-link", GRO_IN_HARDWARE).is_err());
        assert!(splits_or_joins(b"no-such-link").is_err());
    }
}
