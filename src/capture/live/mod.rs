//! A handle of libpcap on an interface. Takes the name of the interface and the settings; gives frames and the kernel's
//! counters. Must not know the plan, nor the contents of frames.
//!
//! Handles are non-blocking and polled here, because with TPACKET_V3 libpcap's blocking reads never return on an idle
//! link. libpcap compiles filters, but the program attaches them to the socket itself, so that a filter changes exactly
//! between two packets. libpcap would read the ring empty in between, and would run the filter again in user space,
//! where `inbound` has no meaning.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Linktype};

use super::Config;
use super::bindings::{create, instructions};
use super::error::{Error, words};
use super::filter::{MAXIMUM_INSTRUCTIONS, UserFilter, too_many};
use super::names;
use super::network::dropped_frames;
use super::nic::ForeignCounter;
use super::program::{self, COOKED_2};
use crate::os::socket::{attach_program, bound_to, detach_program, join_fanout, may_capture, wait_readable};
use crate::packet::{Frame, LinkType, Timestamp};

const COOKED: Linktype = Linktype(113);

/// The most bytes of one frame that libpcap hands over (its `MAXIMUM_SNAPLEN`).
const MAXIMUM_CAPTURED: u32 = 262_144;

/// Pause between two reads of a handle that is being closed and only gives errors.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The most blocks that [`Live::drain`] reads.
const MOST_DRAINED: usize = 100_000;

/// The kernel's counters of a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Packets that passed the filter, those dropped included.
    pub received: u64,
    /// Packets that did not fit in the ring.
    pub dropped_by_kernel: u64,
    /// Packets that the network interface or its driver dropped.
    pub dropped_by_interface: u64,
}

/// The compiled filters of a handle; none if every packet passes.
pub struct FilterProgram(Option<Vec<libc::sock_filter>>);

/// An open handle on an interface.
pub struct Live {
    name: String,
    capture: Capture<Active>,
    link_type: Linktype,
    fd: RawFd,
    read_timeout: Duration,
    /// The kernel's number of the interface; none on `any`.
    index: Option<u32>,
    statistics: Statistics,
    last: pcap::Stat,
    /// The interface's own counter of drops; none until it could be read.
    dropped_by_interface: Option<ForeignCounter>,
}

impl Statistics {
    /// The packets that were handed over or still will be.
    pub fn delivered(self) -> u64 {
        self.received - self.dropped_by_kernel
    }

    /// The difference to `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            received: self.received - earlier.received,
            dropped_by_kernel: self.dropped_by_kernel - earlier.dropped_by_kernel,
            dropped_by_interface: self.dropped_by_interface - earlier.dropped_by_interface,
        }
    }
}

impl Live {
    /// Opens `interface` sealed: no packet gets in, none is counted, until [`Live::attach`].
    ///
    /// # Errors
    /// When there is no such interface, it is down, or this process may not capture.
    pub fn open(interface: &str, config: &Config) -> Result<Self, Error> {
        let refused = |error: pcap::Error| cannot_open(interface, &error);
        let capture = create(&names::to_bytes(interface))
            .map_err(refused)?
            .promisc(config.promiscuous)
            .snaplen(config.snap_length.cast_signed())
            .buffer_size(config.buffer_bytes.cast_signed())
            .timeout(i32::try_from(config.read_timeout.as_millis()).unwrap_or(i32::MAX))
            .open()
            .map_err(refused)?;
        let mut capture = capture.setnonblock().map_err(refused)?;
        if capture.get_datalink() == COOKED {
            capture.set_datalink(COOKED_2).map_err(refused)?;
        }
        let mut live = Self {
            name: interface.to_owned(),
            link_type: capture.get_datalink(),
            fd: capture.as_raw_fd(),
            capture,
            read_timeout: config.read_timeout,
            index: None,
            statistics: Statistics::default(),
            last: pcap::Stat { received: 0, dropped: 0, if_dropped: 0 },
            dropped_by_interface: None,
        };
        live.seal()?;
        live.drain()?;
        live.index = bound_to(live.fd).map_err(|source| live.refused(source))?;
        live.last = live.capture.stats().map_err(|error| live.broken(&error))?;
        live.count_drops_of_interface();
        Ok(live)
    }

    /// The link type of its frames.
    pub fn link_type(&self) -> LinkType {
        LinkType(self.link_type.0)
    }

    /// The kernel's number of the interface that was opened; none on `any`.
    pub fn index(&self) -> Option<u32> {
        self.index
    }

    /// Unseals the handle: from now on the packets that pass both filters count. `own` is the program's own filter,
    /// which leaves copies out, in the syntax of pcap-filter(7). Replaces earlier filters exactly between two packets.
    ///
    /// # Errors
    /// When a filter does not compile for the link type, or the kernel does not take it.
    pub fn attach(&mut self, own: Option<&str>, user: Option<&UserFilter>) -> Result<(), Error> {
        let program = self.compile(own, user)?;
        self.attach_compiled(&program)
    }

    /// The program for [`Live::attach_compiled`]; compiling takes milliseconds, attaching microseconds.
    ///
    /// # Errors
    /// When a filter does not compile for the link type, or the program is too long.
    pub fn compile(&self, own: Option<&str>, user: Option<&UserFilter>) -> Result<FilterProgram, Error> {
        let own = own.map(|own| self.compiled(own)).transpose()?;
        let of_user = user.map(|user| user.program(&self.name, self.link_type)).transpose()?;
        let program = match (own, of_user) {
            (None, None) => return Ok(FilterProgram(None)),
            (Some(own), None) => own,
            (None, Some(of_user)) => of_user.to_vec(),
            (Some(own), Some(of_user)) => program::both(&own, &of_user),
        };
        match user {
            Some(user) if program.len() > MAXIMUM_INSTRUCTIONS => Err(user.refused(too_many(program.len()))),
            _ => Ok(FilterProgram(Some(program))),
        }
    }

    /// As [`Live::attach`], with a program that [`Live::compile`] gave for this handle.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn attach_compiled(&mut self, program: &FilterProgram) -> Result<(), Error> {
        let attached = match &program.0 {
            Some(program) => attach_program(self.fd, program),
            None => detach_program(self.fd),
        };
        attached.map_err(|source| match source.raw_os_error() {
            // A filter that is replaced takes memory too (sk_attach_filter in the kernel's net/core/filter.c).
            Some(libc::ENOMEM) => {
                let reason = "the kernel has no memory for this filter (while a reload replaces a filter, it needs memory for \
                              both); raise net.core.optmem_max or give a shorter filter";
                Error::Interface { name: self.name.clone(), reason: reason.to_owned() }
            }
            _ => self.refused(source),
        })
    }

    fn compiled(&self, filter: &str) -> Result<Vec<libc::sock_filter>, Error> {
        let not_compiled = |reason| Error::Filter { place: None, filter: filter.to_owned(), reason };
        let compiled = self.capture.compile(filter, true).map_err(|error| not_compiled(words(&error)))?;
        let mut program = instructions(&compiled);
        if self.link_type == COOKED_2 && !program::without_cooked_header(&mut program) {
            return Err(not_compiled("it uses link-layer fields that cooked frames do not have".to_owned()));
        }
        Ok(program)
    }

    /// Seals the handle: from now on no packet counts. Those in the ring can still be read.
    ///
    /// # Errors
    /// When the kernel does not take the filter.
    pub fn seal(&mut self) -> Result<(), Error> {
        attach_program(self.fd, &program::REJECT_ALL).map_err(|source| self.refused(source))
    }

    /// Joins the fan-out group with the number `group`, or founds one; gives its number. The handles of a group share
    /// the packets of one interface; both directions of a conversation go to the same handle.
    ///
    /// Call it before [`Live::attach`]: packets that arrive between the two would count twice.
    ///
    /// # Errors
    /// When the kernel refuses, as it does while others of the group still hold an interface that is gone.
    pub fn join(&mut self, group: Option<u16>) -> Result<u16, Error> {
        join_fanout(self.fd, group).map_err(|source| self.refused(source))
    }

    /// Waits up to `wait` for frames and hands over those that are there, one block of the ring at a time; gives
    /// their number.
    ///
    /// # Errors
    /// When the interface disappeared or went down in a way that ends the handle.
    pub fn poll(&mut self, wait: Duration, mut on_frame: impl FnMut(Frame<'_>)) -> Result<usize, Error> {
        wait_readable(self.fd, wait).map_err(|source| self.refused(source))?;
        let dispatched = self.capture.dispatch(None, |packet| {
            let header = packet.header;
            if header.caplen <= MAXIMUM_CAPTURED {
                let time = Timestamp::from_seconds_and_nanoseconds(header.ts.tv_sec, header.ts.tv_usec * 1_000);
                on_frame(Frame::new(time, packet.data, header.len));
            }
        });
        dispatched.map_err(|error| self.broken(&error))
    }

    /// The kernel's counters since the handle was unsealed.
    ///
    /// # Errors
    /// When the kernel refuses to answer.
    pub fn statistics(&mut self) -> Result<Statistics, Error> {
        let now = self.capture.stats().map_err(|error| self.broken(&error))?;
        // libpcap counts in 32 bits and starts over.
        self.statistics.received += u64::from(now.received.wrapping_sub(self.last.received));
        self.statistics.dropped_by_kernel += u64::from(now.dropped.wrapping_sub(self.last.dropped));
        self.last = now;
        self.count_drops_of_interface();
        Ok(self.statistics)
    }

    /// Adds the frames that the interface has dropped since the last call. If the kernel does not answer, the next call
    /// adds them. libpcap's own figure (`ps_ifdrop`) is of no use: it is read by the interface's name, and jumps by
    /// 2^32 when the interface is renamed, made again or reset.
    fn count_drops_of_interface(&mut self) {
        let Some(Ok(now)) = self.index.map(dropped_frames) else { return };
        let counter = self.dropped_by_interface.get_or_insert(ForeignCounter::starting_at(now));
        self.statistics.dropped_by_interface += counter.add(now);
    }

    /// Continues the count of the interface's own drops from `other`, a handle on the same interface.
    pub fn continue_drops_of(&mut self, other: &Self) {
        self.dropped_by_interface = other.dropped_by_interface;
    }

    /// Reads the remaining frames after [`Live::seal`], also of an interface that is gone. Reads for twice the read
    /// timeout: by then the kernel has handed over even a block that is not full.
    pub fn finish(&mut self, mut on_frame: impl FnMut(Frame<'_>)) {
        let deadline = Instant::now() + 2 * self.read_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll(left, &mut on_frame) {
                Ok(0) if left.is_zero() => return,
                Ok(_) => {}
                Err(_) if left.is_zero() => return,
                Err(_) => std::thread::sleep(left.min(RETRY_PAUSE)),
            }
        }
    }

    /// Discards the frames that arrived between the opening and the seal.
    fn drain(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + 2 * self.read_timeout;
        let mut drained = 0;
        for _ in 0..MOST_DRAINED {
            let counted = self.capture.stats().map_err(|error| self.broken(&error))?;
            if drained >= u64::from(counted.received.wrapping_sub(counted.dropped)) || Instant::now() > deadline {
                return Ok(());
            }
            self.poll(self.read_timeout, |_| drained += 1)?;
        }
        Ok(())
    }

    fn broken(&self, error: &pcap::Error) -> Error {
        Error::Interface { name: self.name.clone(), reason: words(error) }
    }

    fn refused(&self, source: io::Error) -> Error {
        Error::Interface { name: self.name.clone(), reason: source.to_string() }
    }
}

/// The error for an interface that cannot be opened. libpcap gives only a text, so the kernel is asked whether this
/// process may capture.
fn cannot_open(interface: &str, error: &pcap::Error) -> Error {
    match may_capture() {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Error::Permission { name: interface.to_owned() },
        _ => Error::Interface { name: interface.to_owned(), reason: words(error) },
    }
}
