//! Link headers, stacked from the outside in, and the frame that they make.
//!
//! `Link::ethernet().vlan(0x8100).mpls(2).carrying(&packet)` reads as the frame does. Each step writes the type field
//! that the step before it left open; the last one takes the packet's version from its first nibble, or as an
//! argument.

/// The bytes of a frame, with the link type of its source and its length on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub link_type: i32,
    pub bytes: Vec<u8>,
    pub wire_bytes: u32,
}

impl Sample {
    /// The first `captured` bytes; the wire length stays.
    pub fn cut(&self, captured: usize) -> Self {
        Self { bytes: self.bytes[..captured.min(self.bytes.len())].to_vec(), ..self.clone() }
    }

    /// With trailing bytes (Ethernet padding, a checksum) that were on the wire and captured.
    pub fn padded(mut self, padding: usize) -> Self {
        self.bytes.resize(self.bytes.len() + padding, 0);
        self.wire_bytes += padding as u32;
        self
    }

    /// With so many bytes on the wire.
    pub fn on_wire(mut self, wire_bytes: u32) -> Self {
        self.wire_bytes = wire_bytes;
        self
    }
}

/// The next header, as the outer one will announce it.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// A 16-bit EtherType (big endian) stands next.
    EtherType,
    /// A cooked v2 header has its EtherType in front.
    LeadingEtherType,
    /// A 16-bit PPP protocol number stands next.
    Ppp,
    /// A PPP protocol number without its first byte, which is 0, stands next.
    CompressedPpp,
    /// A 32-bit address family stands next.
    Family { little_endian: bool, ipv6: u8 },
    /// NFLOG's family is the first byte.
    NflogFamily,
    /// No field names the next header.
    Nothing,
}

/// Link headers so far.
#[derive(Debug, Clone)]
pub struct Link {
    link_type: i32,
    bytes: Vec<u8>,
    open: Open,
    /// Control fields of VLAN tags that are in the frame though the header before them announces the header behind
    /// them.
    hidden_tags: Vec<u16>,
}

const ETHERNET_ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

impl Link {
    fn starting(link_type: i32, bytes: impl Into<Vec<u8>>, open: Open) -> Self {
        Self { link_type, bytes: bytes.into(), open, hidden_tags: Vec::new() }
    }

    pub fn ethernet() -> Self {
        Self::starting(1, ETHERNET_ADDRESSES, Open::EtherType)
    }

    /// Linux cooked v1; packet type 4 is a packet on its way out.
    pub fn cooked(packet_type: u8) -> Self {
        Self::starting(113, [0, packet_type, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], Open::EtherType)
    }

    /// Linux cooked v2.
    pub fn cooked_v2(packet_type: u8) -> Self {
        let header = [0, 0, 0, 0, 0, 0, 0, 3, 0, 1, packet_type, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        Self::starting(276, header, Open::LeadingEtherType)
    }

    /// No link header: 12, 14, 101, 228 or 229.
    pub fn none(link_type: i32) -> Self {
        Self::starting(link_type, [], Open::Nothing)
    }

    /// NULL (0) or LOOP (108), with the IPv6 family number of some system.
    pub fn loopback(link_type: i32, little_endian: bool, ipv6: u8) -> Self {
        Self::starting(link_type, [], Open::Family { little_endian, ipv6 })
    }

    /// PPP (9) without address and control.
    pub fn ppp() -> Self {
        Self::starting(9, [], Open::Ppp)
    }

    /// PPP with address and control; link type 9 or 50.
    pub fn ppp_framed(link_type: i32) -> Self {
        Self::starting(link_type, [0xff, 0x03], Open::Ppp)
    }

    /// Cisco's HDLC, unicast.
    pub fn cisco_hdlc() -> Self {
        Self::starting(104, [0x0f, 0x00], Open::EtherType)
    }

    /// A plain 802.11 data frame up to and with its SNAP header.
    pub fn wireless() -> Self {
        Self::starting(105, wireless_header(false, false), Open::EtherType)
    }

    /// An 802.11 data frame with quality of service, or with four addresses, or both.
    pub fn wireless_with(quality_of_service: bool, four_addresses: bool) -> Self {
        Self::starting(105, wireless_header(quality_of_service, four_addresses), Open::EtherType)
    }

    /// The 802.11 frame behind a radiotap header (127) of so many bytes, at least 8, without fields.
    pub fn behind_radiotap(self, header_bytes: u16) -> Self {
        self.behind_radiotap_with(&[0], &vec![0; usize::from(header_bytes) - 8])
    }

    /// The 802.11 frame behind a radiotap header (127) with these presence words and fields.
    pub fn behind_radiotap_with(self, present: &[u32], fields: &[u8]) -> Self {
        let mut header = vec![0, 0];
        header.extend((4 + 4 * present.len() as u16 + fields.len() as u16).to_le_bytes());
        header.extend(present.iter().flat_map(|word| word.to_le_bytes()));
        header.extend(fields);
        self.behind(127, header)
    }

    /// The 802.11 header filled up to a multiple of four bytes, as some drivers do; for QoS frames of 26 bytes.
    pub fn with_padded_header(mut self) -> Self {
        let snap_at = self.bytes.len() - 6;
        self.bytes.splice(snap_at..snap_at, [0, 0]);
        self
    }

    /// The 802.11 frame behind a Prism header (119).
    pub fn behind_prism(self) -> Self {
        let mut header = vec![0x44, 0, 0, 0, 144, 0, 0, 0];
        header.resize(144, 0);
        self.behind(119, header)
    }

    /// The 802.11 frame behind an AVS header (119, recognised by its magic number).
    pub fn behind_avs(self) -> Self {
        let mut header = vec![0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64];
        header.resize(64, 0);
        self.behind(119, header)
    }

    /// The 802.11 frame behind a PPI header (192).
    pub fn behind_ppi(self) -> Self {
        self.behind(192, [0, 0, 12, 0, 105, 0, 0, 0, 0, 0, 0, 0])
    }

    fn behind(self, link_type: i32, header: impl Into<Vec<u8>>) -> Self {
        Self { link_type, bytes: [header.into(), self.bytes].concat(), ..self }
    }

    /// NFLOG with a packet header and a prefix attribute (which is padded) before the packet.
    pub fn nflog() -> Self {
        let mut header = vec![0, 0, 0, 0];
        attribute(&mut header, 1, &[0x08, 0x00, 3, 0]);
        attribute(&mut header, 10, b"in\0");
        // The packet's own attribute gets its length when the packet is known.
        attribute(&mut header, 9, &[]);
        Self::starting(239, header, Open::NflogFamily)
    }

    /// A VLAN tag of type 0x8100, 0x88a8 or 0x9100.
    pub fn vlan(self, tag_type: u16) -> Self {
        let mut tagged = self.announce(tag_type);
        tagged.bytes.extend([0x20, 0x07]);
        tagged.open = Open::EtherType;
        tagged
    }

    /// A VLAN tag with this control field that the header before it does not announce, as Linux 6.18 shows QinQ on `any`.
    pub fn hidden_tag(mut self, control: u16) -> Self {
        self.hidden_tags.push(control);
        self
    }

    /// The protocol number of PPP in one byte.
    pub fn compressed(mut self) -> Self {
        assert!(matches!(self.open, Open::Ppp), "no PPP");
        self.open = Open::CompressedPpp;
        self
    }

    /// An MPLS label stack so deep.
    pub fn mpls(self, labels: usize) -> Self {
        let mut stacked = self.announce(0x8847);
        for label in 1..=labels {
            let bottom = u8::from(label == labels);
            stacked.bytes.extend([0, 1, 0x40 | bottom, 64]);
        }
        stacked.open = Open::Nothing;
        stacked
    }

    /// A PPPoE session.
    pub fn pppoe(self) -> Self {
        let mut session = self.announce(0x8864);
        session.bytes.extend([0x11, 0, 0, 9, 0, 0]);
        session.open = Open::Ppp;
        session
    }

    /// An 802.3 length (0, which no sender may use) and LLC with SNAP, organisation 0.
    pub fn snap(self) -> Self {
        let mut snapped = self.announce(0);
        snapped.bytes.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
        snapped.open = Open::EtherType;
        snapped
    }

    /// The frame, with `packet` announced by the version in its first nibble.
    pub fn carrying(self, packet: &[u8]) -> Sample {
        match packet.first().map(|byte| byte >> 4) {
            Some(6) => self.carrying_ipv6(packet),
            _ => self.carrying_ipv4(packet),
        }
    }

    /// The frame, with `packet` announced as IPv4 whatever it is.
    pub fn carrying_ipv4(self, packet: &[u8]) -> Sample {
        match self.open {
            Open::Ppp | Open::CompressedPpp => self.announce_ppp(0x0021).finish(packet),
            Open::Family { little_endian, .. } => self.announce_family(2, little_endian).finish(packet),
            Open::NflogFamily => self.announce_nflog(2, packet).finish(packet),
            _ => self.announce(0x0800).finish(packet),
        }
    }

    /// The frame, with `packet` announced as IPv6 whatever it is.
    pub fn carrying_ipv6(self, packet: &[u8]) -> Sample {
        match self.open {
            Open::Ppp | Open::CompressedPpp => self.announce_ppp(0x0057).finish(packet),
            Open::Family { little_endian, ipv6 } => self.announce_family(ipv6, little_endian).finish(packet),
            Open::NflogFamily => self.announce_nflog(10, packet).finish(packet),
            _ => self.announce(0x86dd).finish(packet),
        }
    }

    /// The frame, with `payload` announced by `ether_type`.
    pub fn carrying_ether_type(self, ether_type: u16, payload: &[u8]) -> Sample {
        self.announce(ether_type).finish(payload)
    }

    /// The frame, with `payload` announced by a PPP protocol number.
    pub fn carrying_ppp(self, protocol: u16, payload: &[u8]) -> Sample {
        self.announce_ppp(protocol).finish(payload)
    }

    /// The link type of the frame to be.
    pub fn link_type(&self) -> i32 {
        self.link_type
    }

    fn announce(mut self, ether_type: u16) -> Self {
        match self.open {
            Open::LeadingEtherType => self.bytes[..2].copy_from_slice(&ether_type.to_be_bytes()),
            Open::EtherType => self.bytes.extend(ether_type.to_be_bytes()),
            _ => {}
        }
        let mut tags = std::mem::take(&mut self.hidden_tags).into_iter().peekable();
        while let Some(control) = tags.next() {
            let behind = if tags.peek().is_some() { 0x8100 } else { ether_type };
            self.bytes.extend([control.to_be_bytes(), behind.to_be_bytes()].concat());
        }
        self
    }

    fn announce_ppp(mut self, protocol: u16) -> Self {
        match self.open {
            Open::CompressedPpp => self.bytes.push(protocol as u8),
            _ => self.bytes.extend(protocol.to_be_bytes()),
        }
        self
    }

    fn announce_family(mut self, family: u8, little_endian: bool) -> Self {
        self.bytes.extend(if little_endian { [family, 0, 0, 0] } else { [0, 0, 0, family] });
        self
    }

    /// The payload attribute's length is the last thing but one in the header.
    fn announce_nflog(mut self, family: u8, packet: &[u8]) -> Self {
        let at = self.bytes.len() - 4;
        self.bytes[0] = family;
        self.bytes[at..at + 2].copy_from_slice(&(packet.len() as u16 + 4).to_ne_bytes());
        self
    }

    fn finish(mut self, payload: &[u8]) -> Sample {
        self.bytes.extend(payload);
        Sample { link_type: self.link_type, wire_bytes: self.bytes.len() as u32, bytes: self.bytes }
    }
}

/// Frame control, duration, addresses, sequence control and the further fields that frame control demands; then SNAP.
fn wireless_header(quality_of_service: bool, four_addresses: bool) -> Vec<u8> {
    let control = [if quality_of_service { 0x88 } else { 0x08 }, if four_addresses { 0x03 } else { 0x01 }];
    let mut header = [&control[..], &[0, 0], &ETHERNET_ADDRESSES, &[2, 0, 0, 0, 0, 3], &[0x10, 0]].concat();
    if four_addresses {
        header.extend([2, 0, 0, 0, 0, 4]);
    }
    if quality_of_service {
        header.extend([0, 0]);
    }
    header.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
    header
}

/// A netlink attribute in the byte order of this machine, padded to four bytes.
fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend((value.len() as u16 + 4).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
