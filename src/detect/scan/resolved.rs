//! Contacts with link addresses: a sweep of one's own network asks for hosts that do not exist, and sends them nothing else.
//!
//! Takes messages of address resolution; makes contact events of them. Must not know how messages look.

use super::contacts::HostPort;
use super::events::{ContactEvent, ContactSignals, EventKind};
use super::state::ScanState;
use crate::account::InterfaceId;
use crate::packet::Resolution;

impl ScanState {
    /// Takes a message: a question begins a contact with a link address, and an answer answers it.
    pub(super) fn resolve(&mut self, resolution: &Resolution, interface: InterfaceId) {
        let Resolution { time, asker, target, is_answer } = *resolution;
        if self.config.routers.contains(&asker) {
            return;
        }
        self.recent_targets.wake();
        let interface = self.visibility.position(interface);
        self.accept(&ContactEvent {
            kind: EventKind::Contact,
            source: asker,
            source_port: 0,
            target: HostPort::on_link(target),
            interface,
            is_outside: false,
            begins: !is_answer,
            replies_first: false,
            is_known: false,
            signals: ContactSignals::default().with(ContactSignals::ANSWERED, is_answer),
            first: time,
            last: time,
            replied: time,
            failed: time,
            packets: u32::from(!is_answer),
            bytes: 0,
            reply_packets: u32::from(is_answer),
            reply_bytes: 0,
        });
    }
}
