//! Reads files by libpcap, for those that are not plain. libpcap gets their bytes through a pipe. Takes the bytes of a
//! file; gives frames. Must not know the other readers.

use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pcap::{Capture, Linktype, Offline, Precision};

use super::input::Input;
use super::records::LARGEST;
use crate::os::threads::{self, Needs};
use crate::packet::{Frame, LinkType, Timestamp};

pub(super) struct LibpcapReader {
    capture: Capture<Offline>,
    /// The error that ended the bytes, if there was one.
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl LibpcapReader {
    /// Lets libpcap read `head` and then all of `input`. Fails with libpcap's message if this is no capture.
    pub(super) fn over(head: Vec<u8>, input: Input) -> Result<Self, pcap::Error> {
        let (reader, mut writer) = io::pipe().map_err(pipe_failed)?;
        let failure = Arc::new(Mutex::new(None));
        let reported = Arc::clone(&failure);
        let copy = move || {
            // libpcap may have closed its end: it stops reading bytes that are no capture.
            if writer.write_all(&head).is_ok()
                && let Err(error) = input.copy_to(&mut writer)
            {
                *reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        };
        threads::spawn("hand-over", Needs::Nothing, copy).map_err(pipe_failed)?;
        open(&reader).map(|capture| Self { capture, failure })
    }

    pub(super) fn link_type(&self) -> LinkType {
        LinkType(self.capture.get_datalink().0)
    }

    /// Hands up to `count` frames to `on_frame`; gives their number, 0 at the end. Fails where the file is broken.
    pub(super) fn read(&mut self, count: usize, mut on_frame: impl FnMut(Frame<'_>)) -> Result<usize, pcap::Error> {
        self.capture.dispatch(Some(count), |packet| {
            let header = packet.header;
            let time = Timestamp::from_seconds_and_nanoseconds(header.ts.tv_sec, header.ts.tv_usec);
            on_frame(Frame::new(time, packet.data, header.len));
        })
    }

    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A capture without frames, for which filters can be compiled as for a file of this link type.
pub(super) fn empty(link_type: LinkType) -> Result<Capture<Offline>, pcap::Error> {
    let (reader, mut writer) = io::pipe().map_err(pipe_failed)?;
    let words = [0xa1b2_c3d4, u32::from_ne_bytes(version()), 0, 0, LARGEST, link_type.0.cast_unsigned()];
    writer.write_all(&words.map(u32::to_ne_bytes).concat()).map_err(pipe_failed)?;
    drop(writer);
    open(&reader)
}

/// The version of the format, 2.4, as two numbers.
fn version() -> [u8; 4] {
    let [major, minor] = [2_u16, 4].map(u16::to_ne_bytes);
    [major[0], major[1], minor[0], minor[1]]
}

/// `1 (EN10MB)`, or the number alone where libpcap has no name.
pub(super) fn shown(link_type: LinkType) -> String {
    match link_type_name(link_type) {
        Some(name) => format!("{} ({name})", link_type.0),
        None => link_type.0.to_string(),
    }
}

/// libpcap's name of a link type.
pub fn link_type_name(link_type: LinkType) -> Option<String> {
    Linktype(link_type.0).get_name().ok()
}

/// Lets libpcap open the pipe by its name in `/proc`, because libpcap closes its descriptor itself.
fn open(reader: &io::PipeReader) -> Result<Capture<Offline>, pcap::Error> {
    let name = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    Capture::from_file_with_precision(name, Precision::Nano)
}

fn pipe_failed(error: io::Error) -> pcap::Error {
    pcap::Error::PcapError(format!("no way to hand it to libpcap: {error}"))
}
