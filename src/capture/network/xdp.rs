//! Asks where an XDP program is attached to an interface. Takes the name of an interface; gives the place. Must not know
//! what the XDP program does. Such a program sees frames first and may drop or change them.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use super::super::names;
use super::Error;
use super::request::ask_about;
use super::rtnetlink::{LINK_HEADER_BYTES, attribute};

/// Attribute inside `IFLA_XDP` (linux/if_link.h): the mode of the attached program, one byte; 0 is none.
const IFLA_XDP_ATTACHED: u16 = 2;

/// The place where an XDP program of an interface runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpPlace {
    /// In the driver (native).
    Driver,
    /// In the network stack (generic).
    Stack,
    /// On the network card (offloaded).
    Card,
    /// In several of these, or in one of a later kernel.
    Several,
}

impl XdpPlace {
    /// The word of ip-link(8) for the programs there. `xdp` alone detaches from the driver if the driver has XDP, and
    /// leaves a program in the network stack attached.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Driver => "xdpdrv",
            Self::Stack => "xdpgeneric",
            Self::Card => "xdpoffload",
            Self::Several => "xdp",
        }
    }
}

/// The place of the program of `interface`; none if it has no program. Asked each time: the kernel gives no notice when
/// bpf(2) attaches one.
///
/// # Errors
/// When there is no such interface, or the kernel refuses to answer.
pub fn xdp_place(interface: &str) -> Result<Option<XdpPlace>, Error> {
    let mut bytes = names::to_bytes(interface);
    bytes.push(0);
    let name = DefaultNla::new(libc::IFLA_IFNAME, bytes);
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Other(name));
    ask_about(message).map(|link| place_of(&link))
}

/// The place that the attributes of a link name (`XDP_ATTACHED_…`, linux/if_link.h). They lack XDP if the kernel lacks it.
fn place_of(link: &[u8]) -> Option<XdpPlace> {
    let xdp = attribute(link, LINK_HEADER_BYTES, libc::IFLA_XDP)?;
    match attribute(xdp, 0, IFLA_XDP_ATTACHED)?.first()? {
        0 => None,
        1 => Some(XdpPlace::Driver),
        2 => Some(XdpPlace::Stack),
        3 => Some(XdpPlace::Card),
        _ => Some(XdpPlace::Several),
    }
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
        for (number, word) in
            [(0, None), (1, Some("xdpdrv")), (2, Some("xdpgeneric")), (3, Some("xdpoffload")), (4, Some("xdp"))]
        {
            let attached = [12, 0, 43, 0, 5, 0, 2, 0, number, 0, 0, 0];
            assert_eq!(place_of(&link(&attached)).map(XdpPlace::word), word, "{number}");
        }
        let with_number = [20, 0, 43, 0, 8, 0, 4, 0, 17, 0, 0, 0, 5, 0, 2, 0, 2, 0, 0, 0];
        assert_eq!(place_of(&link(&with_number)), Some(XdpPlace::Stack));
        for without in [&[][..], &[4, 0, 43, 0], &[8, 0, 43, 0, 4, 0, 2, 0], &[12, 0, 43, 0, 5, 0]] {
            assert_eq!(place_of(&link(without)), None, "{without:?}");
        }
    }

    #[test]
    fn the_kernel_is_asked() {
        assert_eq!(xdp_place("lo").unwrap(), None);
        assert!(matches!(xdp_place("no-such-link"), Err(Error::Kernel { .. })));
    }
}
