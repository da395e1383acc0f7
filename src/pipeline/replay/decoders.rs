//! The decoder of each link type of a file. Takes link types; gives decoders. Must not know the file.

use std::sync::Arc;

use crate::capture::savefile::{Savefile, link_type_name};
use crate::decode::Decoder;
use crate::packet::LinkType;
use crate::pipeline::Error;

/// The decoders of a file, the last one used first.
pub(super) struct Decoders {
    name: Arc<str>,
    decoders: Vec<(LinkType, Decoder)>,
}

impl Decoders {
    /// The decoders for the frames of `savefile`. Fails when none of its interfaces has a link type that is read.
    pub(super) fn of(savefile: &Savefile, name: &Arc<str>) -> Result<Self, Error> {
        let mut decoders = Self { name: Arc::clone(name), decoders: Vec::new() };
        let link_types = savefile.link_types();
        match Decoder::new(savefile.link_type()) {
            Err(source) if !link_types.iter().any(|link_type| Decoder::new(*link_type).is_ok()) => {
                let name = link_type_name(savefile.link_type());
                Err(Error::LinkType { origin: decoders.name.to_string(), name, source })
            }
            _ => {
                decoders.add(savefile.link_type());
                Ok(decoders)
            }
        }
    }

    /// The decoder of a link type. If the type is not supported, its frames count as not IP, which is logged once.
    #[inline]
    pub(super) fn get(&mut self, link_type: LinkType) -> Decoder {
        match self.decoders.first() {
            Some((of, decoder)) if *of == link_type => *decoder,
            _ => self.change_to(link_type),
        }
    }

    #[cold]
    fn change_to(&mut self, link_type: LinkType) -> Decoder {
        match self.decoders.iter().position(|(of, _)| *of == link_type) {
            Some(at) => {
                self.decoders.swap(0, at);
                self.decoders[0].1
            }
            None => self.add(link_type),
        }
    }

    /// A link type has 16 bits in a file, which bounds their number.
    fn add(&mut self, link_type: LinkType) -> Decoder {
        let decoder = Decoder::new(link_type).unwrap_or_else(|unsupported| {
            let number = unsupported.0.0;
            let name = link_type_name(link_type).map_or_else(String::new, |name| format!(" ({name})"));
            tracing::warn!(
                file = %crate::capture::printable(&self.name),
                "an interface has link type {number}{name}, which is not supported: its frames count as not IP"
            );
            unsupported.decoder()
        });
        self.decoders.insert(0, (link_type, decoder));
        decoder
    }
}
