//! Asks whether an XDP program is attached to an interface. Takes the name of an interface; gives true or false. Must
//! not know what the XDP program does. Such a program sees frames first and may drop or change them.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use super::super::names;
use super::Error;
use super::request::ask_about;
use super::rtnetlink::{LINK_HEADER_BYTES, attribute};

/// Attribute inside `IFLA_XDP` (linux/if_link.h): the mode of the attached program, one byte; 0 is none.
const IFLA_XDP_ATTACHED: u16 = 2;

/// True if `interface` has a program. Asked each time: the kernel gives no notice when bpf(2) attaches one.
///
/// # Errors
/// When there is no such interface, or the kernel refuses to answer.
pub(in crate::capture) fn has_program(interface: &str) -> Result<bool, Error> {
    let mut bytes = names::to_bytes(interface);
    bytes.push(0);
    let name = DefaultNla::new(libc::IFLA_IFNAME, bytes);
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Other(name));
    ask_about(message).map(|link| says_attached(&link))
}

/// True if the attributes of a link name an attached program. They lack XDP if the kernel lacks it.
fn says_attached(link: &[u8]) -> bool {
    let xdp = attribute(link, LINK_HEADER_BYTES, libc::IFLA_XDP);
    let mode = xdp.and_then(|details| attribute(details, 0, IFLA_XDP_ATTACHED)?.first());
    mode.is_some_and(|&mode| mode != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 sends it, but for attributes that are not looked at: a header, a name, `IFLA_XDP`.
    fn link(xdp: &[u8]) -> Vec<u8> {
        let mut link = vec![0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0];
        link.extend([9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0]);
        link.extend(xdp);
        link
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_program_is_seen_wherever_it_runs() {
        for (place, is_attached) in [(0, false), (1, true), (2, true), (3, true), (4, true)] {
            let attached = [12, 0, 43, 0, 5, 0, 2, 0, place, 0, 0, 0];
            assert_eq!(says_attached(&link(&attached)), is_attached, "{place}");
        }
        let with_number = [20, 0, 43, 0, 8, 0, 4, 0, 17, 0, 0, 0, 5, 0, 2, 0, 2, 0, 0, 0];
        assert!(says_attached(&link(&with_number)));
        for without in [&[][..], &[4, 0, 43, 0], &[8, 0, 43, 0, 4, 0, 2, 0], &[12, 0, 43, 0, 5, 0]] {
            assert!(!says_attached(&link(without)), "{without:?}");
        }
    }

    #[test]
    fn the_kernel_is_asked() {
        assert!(!has_program("lo").unwrap());
        assert!(matches!(has_program("no-such-link"), Err(Error::Kernel { .. })));
    }
}
