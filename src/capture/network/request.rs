//! One question to rtnetlink and the messages that answer it. Takes a question; gives the attributes of the answers.
//! Must not know their meaning.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::Error;

/// The kernel fills at most 32 KiB a datagram.
const DATAGRAM_BYTES: usize = 64 * 1024;

pub(super) struct NetlinkRequest {
    socket: Socket,
    datagram: Vec<u8>,
    position: usize,
    interrupted: bool,
}

impl NetlinkRequest {
    /// Sends a request with these additional flags.
    pub(super) fn start(request: impl NetlinkSerializable, flags: u16) -> io::Result<Self> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Self::of_bytes(NETLINK_ROUTE, &bytes)
    }

    /// Sends a whole message of another netlink protocol.
    pub(super) fn of_bytes(protocol: isize, message: &[u8]) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(message, 0)?;
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM_BYTES), position: 0, interrupted: false })
    }

    /// The payload of the next message; none at the end of the answer.
    pub(super) fn next(&mut self, what: &'static str) -> Result<Option<Vec<u8>>, Error> {
        if self.position >= self.datagram.len() {
            self.receive().map_err(|source| Error::Kernel { what, source })?;
        }
        let message = NetlinkBuffer::new_checked(&self.datagram[self.position..])
            .map_err(|error| Error::Answer { what, reason: error.to_string() })?;
        self.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
        self.position += (message.length() as usize).next_multiple_of(4);
        match message.message_type() {
            NLMSG_DONE | NLMSG_ERROR => end_of(message.payload()).map_err(|source| Error::Kernel { what, source }),
            _ => Ok(Some(message.payload().to_vec())),
        }
    }

    /// True if the network changed during the answer, which may mix two states.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn receive(&mut self) -> io::Result<()> {
        self.datagram.clear();
        self.position = 0;
        let length = loop {
            match self.socket.recv(&mut self.datagram, libc::MSG_TRUNC) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received?,
            }
        };
        if length == 0 || length > self.datagram.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an empty or truncated message"));
        }
        Ok(())
    }
}

/// The kernel's answer about the one link that `question` names.
pub(super) fn ask_about(question: LinkMessage) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "links";
    let kernel = |source| Error::Kernel { what: WHAT, source };
    let mut request = NetlinkRequest::start(RouteNetlinkMessage::GetLink(question), 0).map_err(kernel)?;
    let missing = || Error::Answer { what: WHAT, reason: "the interface is missing".to_owned() };
    request.next(WHAT)?.ok_or_else(missing)
}

/// Both ends of an answer begin with an error number, negative or 0.
fn end_of(payload: &[u8]) -> io::Result<Option<Vec<u8>>> {
    match payload.first_chunk().map_or(0, |&code| i32::from_ne_bytes(code).saturating_neg()) {
        // A kernel without IPv6 has no routes of it.
        0 | libc::EAFNOSUPPORT | libc::EOPNOTSUPP => Ok(None),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
