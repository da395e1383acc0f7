//! An evidence file that is being written.
//!
//! Takes chunks and positions of packets; gives a pcapng file with its digest. Must not know alerts.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::facts::{FileContents, FileInterface};
use super::{files, link_type, pcapng};
use crate::evidence::{Chunk, PacketSource};

/// Space that a comment may take beyond its first form.
pub(super) const COMMENT_ROOM: usize = 1_024;
/// The longest packet that libpcap captures.
const LONGEST_PACKET: u32 = 262_144;
/// Bytes that are read at once for the digest.
const READ_AT_ONCE: usize = 256 << 10;

/// A file under its temporary name.
#[derive(Debug)]
pub(super) struct CaptureFile {
    file: File,
    pub(super) part: PathBuf,
    pub(super) path: PathBuf,
    application: String,
    comment_bytes: usize,
    interfaces: Vec<(PacketSource, u64)>,
    contents: FileContents,
    /// True after a failed write, until the packets from there on come again.
    pub(super) is_stalled: bool,
}

impl CaptureFile {
    /// Begins a file that will be called `path`.
    pub(super) fn create(path: PathBuf, comment: &str, application: String) -> io::Result<Self> {
        let part = files::unfinished(&path);
        let mut file = files::create(&part)?;
        let comment_bytes = (comment.len() + COMMENT_ROOM).next_multiple_of(4);
        let header = pcapng::section_header(&pcapng::padded(comment, comment_bytes), &application);
        file.write_all(&header).inspect_err(|_| files::remove(&part))?;
        let contents = FileContents::without_packets(header.len() as u64);
        let interfaces = Vec::new();
        Ok(Self { file, part, path, application, comment_bytes, interfaces, contents, is_stalled: false })
    }

    pub(super) const fn contents(&self) -> FileContents {
        self.contents
    }

    /// Adds packets of a chunk, by position. After an error the file is as it was before.
    pub(super) fn append(&mut self, chunk: &Chunk, positions: &[u32]) -> io::Result<()> {
        let mut blocks = Vec::with_capacity(positions.len() * 128);
        let known = self.interfaces.len();
        let interface = self.interface(chunk.source(), &mut blocks);
        let mut contents = self.contents;
        let mut wanted = positions.iter().copied().peekable();
        for (position, packet) in (0..).zip(chunk.iter()) {
            if wanted.next_if_eq(&position).is_some() {
                pcapng::put_packet(&mut blocks, interface as u32, &packet);
                contents.note(packet.time);
            } else if wanted.peek().is_none() {
                break;
            }
        }
        contents.bytes += blocks.len() as u64;
        if let Err(error) = self.file.write_all_at(&blocks, self.contents.bytes) {
            self.interfaces.truncate(known);
            // What was written of the blocks goes, so that the file can be read.
            self.file.set_len(self.contents.bytes).ok();
            return Err(error);
        }
        self.interfaces[interface].1 += contents.packets - self.contents.packets;
        self.contents = contents;
        Ok(())
    }

    /// The number of an interface, which is described first if it is new.
    fn interface(&mut self, source: &PacketSource, blocks: &mut Vec<u8>) -> usize {
        if let Some(known) = self.interfaces.iter().position(|(known, _)| known == source) {
            return known;
        }
        pcapng::put_interface(blocks, source);
        self.interfaces.push((source.clone(), 0));
        self.interfaces.len() - 1
    }

    /// libpcap opens no file without an interface, so one that has no packets gets one.
    fn describe_no_interface(&mut self) -> io::Result<()> {
        let source = PacketSource {
            interface: "none".to_owned(),
            link_type: crate::packet::LinkType(1),
            snap_length: LONGEST_PACKET,
        };
        let mut block = Vec::new();
        pcapng::put_interface(&mut block, &source);
        self.file.write_all_at(&block, self.contents.bytes)?;
        self.contents.bytes += block.len() as u64;
        self.interfaces.push((source, 0));
        Ok(())
    }

    /// The interfaces with their numbers of packets.
    pub(super) fn interfaces(&self) -> Vec<FileInterface> {
        let interface = |(source, packets): &(PacketSource, u64)| FileInterface {
            name: source.interface.clone(),
            link_type: link_type::in_files(source.link_type.0),
            packets: *packets,
        };
        self.interfaces.iter().map(interface).collect()
    }

    /// Writes the final comment. Gives the digest.
    pub(super) fn finish(&mut self, comment: &str) -> io::Result<String> {
        if self.interfaces.is_empty() {
            self.describe_no_interface()?;
        }
        let header = pcapng::section_header(&pcapng::padded(comment, self.comment_bytes), &self.application);
        self.file.write_all_at(&header, 0)?;
        digest(&mut self.file)
    }

    /// Gives the finished file its name.
    pub(super) fn publish(&self) -> io::Result<()> {
        files::publish(&self.file, &self.part, &self.path)
    }
}

/// The SHA-256 of a file in hexadecimal digits.
pub(super) fn digest(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_AT_ONCE];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// The SHA-256 of a text in hexadecimal digits.
pub(super) fn digest_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
