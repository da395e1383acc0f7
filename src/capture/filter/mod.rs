//! The user's filter, compiled to the programs that the kernel runs. Takes text; gives a program for each link type.
//! Must not know the interfaces that are captured.
//!
//! Each program is compiled on a thread of its own, because libpcap can take minutes for a long filter and cannot be
//! interrupted. The program's own filter, which depends on the network, is compiled separately and joined with it
//! ([`super::program`]).

mod expression;

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libc::sock_filter;
use pcap::{Activated, Active, Capture, Linktype};

use self::expression::Expression;
use super::bindings::instructions;
use super::error::{Error, words};
use super::program::{self, COOKED_2};
use crate::os::threads::{self, Needs};

/// The most bytes of a filter's text.
pub(crate) const MAXIMUM_TEXT: usize = 64 << 10;
/// The most instructions that the kernel takes (`BPF_MAXINSNS`).
pub(super) const MAXIMUM_INSTRUCTIONS: usize = 4_096;
/// The ring of a handle that is only opened to compile a filter, in bytes.
const SMALLEST_RING: i32 = 64 << 10;
/// The time that libpcap may take to compile a filter.
const DEADLINE: Duration = Duration::from_secs(5);

/// The link types for which a filter is checked before an interface is open: Ethernet, and link types with filter
/// words of their own (cooked, radiotap, raw IP).
const CHECKED: [Linktype; 4] = [Linktype(1), COOKED_2, Linktype(127), Linktype(12)];

/// The user's filter, and its programs by link type.
#[derive(Debug)]
pub struct UserFilter {
    text: String,
    programs: Mutex<BTreeMap<i32, Known>>,
}

/// A program, or the reason why there will be none: a compilation that takes too long is not tried again.
type Known = Result<Arc<[sock_filter]>, String>;

/// Filters with the same text are the same.
impl PartialEq for UserFilter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UserFilter {}

impl UserFilter {
    /// The filter with this text, compiled for a link type that it suits.
    ///
    /// # Errors
    /// When the text is too long, or does not compile in time, or to more instructions than the kernel takes.
    pub fn new(text: &str) -> Result<Self, Error> {
        let filter = Self { text: text.to_owned(), programs: Mutex::default() };
        let mut first_reason = None;
        for link_type in CHECKED {
            match compile_for(text, link_type) {
                Ok(program) => {
                    let program =
                        within_the_kernels_limit(program).map_err(|failure| filter.refused(failure.reason()))?;
                    if !filter.depends_on_the_handle() && link_type != COOKED_2 {
                        filter.programs().insert(link_type.0, Ok(program));
                    }
                    return Ok(filter);
                }
                Err(Failure::Refused(reason)) => _ = first_reason.get_or_insert(reason),
                Err(Failure::Bound(reason)) => return Err(filter.refused(reason)),
            }
        }
        Err(filter.refused(first_reason.unwrap_or_default()))
    }

    /// Checks that the filter compiles for the frames of an interface with this link type.
    ///
    /// # Errors
    /// When it does not, or not in time.
    pub fn check(&self, interface: &str, link_type: crate::packet::LinkType) -> Result<(), Error> {
        self.program(interface, Linktype(link_type.0)).map(drop)
    }

    /// The program for the frames of an interface on a handle with this link type.
    pub(super) fn program(&self, interface: &str, link_type: Linktype) -> Result<Arc<[sock_filter]>, Error> {
        // Locked while it compiles: other threads that need the same program wait for it.
        let mut programs = self.programs();
        if let Some(known) = programs.get(&link_type.0) {
            return known.clone().map_err(|reason| self.refused(reason));
        }
        let compiled = self.compiled(interface, link_type);
        match &compiled {
            Ok(program) => drop(programs.insert(link_type.0, Ok(Arc::clone(program)))),
            Err(Failure::Bound(reason)) => drop(programs.insert(link_type.0, Err(reason.clone()))),
            Err(Failure::Refused(_)) => {}
        }
        compiled.map_err(|failure| self.refused(failure.reason()))
    }

    fn compiled(&self, interface: &str, link_type: Linktype) -> Result<Arc<[sock_filter]>, Failure> {
        let mut program = if self.depends_on_the_handle() {
            let interface = interface.to_owned();
            compile_in_time(&self.text, move || open_to_compile(&interface, link_type))?
        } else {
            compile_for(&self.text, link_type)?
        };
        if link_type == COOKED_2 && !program::without_cooked_header(&mut program) {
            return Err(Failure::Refused("it uses link-layer fields that cooked frames do not have".to_owned()));
        }
        within_the_kernels_limit(program)
    }

    /// True if the program depends on the open handle: for `vlan`, because the kernel takes VLAN tags off frames and
    /// libpcap asks the handle for them.
    pub(crate) fn depends_on_the_handle(&self) -> bool {
        self.text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == "vlan")
    }

    fn programs(&self) -> MutexGuard<'_, BTreeMap<i32, Known>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refused(&self, reason: String) -> Error {
        Error::Filter { place: None, filter: self.text.clone(), reason }
    }
}

/// The reason why a filter has no program.
pub(super) enum Failure {
    /// libpcap's words, for this link type.
    Refused(String),
    /// The text is too long, or compiling takes too long, whatever the link type.
    Bound(String),
}

impl Failure {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Refused(reason) | Self::Bound(reason) => reason,
        }
    }
}

/// Opens a handle for filters that depend on an open handle. Its frames are never read.
fn open_to_compile(interface: &str, link_type: Linktype) -> Result<Capture<Active>, pcap::Error> {
    let mut handle = Capture::from_device(interface)?.snaplen(64).buffer_size(SMALLEST_RING).open()?;
    if handle.get_datalink() != link_type {
        handle.set_datalink(link_type)?;
    }
    Ok(handle)
}

fn compile_for(text: &str, link_type: Linktype) -> Result<Vec<sock_filter>, Failure> {
    compile_in_time(text, move || Capture::dead(link_type))
}

/// Compiles a filter for the handle that `open` gives, on a thread of its own and within [`DEADLINE`].
pub(super) fn compile_in_time<T: Activated>(
    text: &str,
    open: impl FnOnce() -> Result<Capture<T>, pcap::Error> + Send + 'static,
) -> Result<Vec<sock_filter>, Failure> {
    if text.len() > MAXIMUM_TEXT {
        return Err(Failure::Bound(format!("it has {} bytes, {MAXIMUM_TEXT} are allowed", text.len())));
    }
    let (sender, compiled) = channel();
    let text = text.to_owned();
    let body = move || {
        let handle = open().map_err(|error| words(&error));
        // After the deadline, nothing receives the result.
        drop(sender.send(handle.and_then(|handle| compile(&handle, &text))));
    };
    // The handle may be one of an interface.
    drop(threads::spawn("filter", Needs::PacketSockets, body).map_err(|error| Failure::Bound(error.to_string()))?);
    match compiled.recv_timeout(DEADLINE) {
        Ok(program) => program.map_err(Failure::Refused),
        Err(RecvTimeoutError::Timeout) => Err(Failure::Bound(format!(
            "compiling it takes longer than {} s; write a long list as `host A or host B or …`, or name networks \
             (`net`) instead of hosts",
            DEADLINE.as_secs()
        ))),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::Bound("libpcap failed to compile it".to_owned())),
    }
}

fn within_the_kernels_limit(program: Vec<sock_filter>) -> Result<Arc<[sock_filter]>, Failure> {
    match program.len() {
        ..=MAXIMUM_INSTRUCTIONS => Ok(program.into()),
        count => Err(Failure::Bound(too_many(count))),
    }
}

pub(super) fn too_many(instructions: usize) -> String {
    format!(
        "it needs {instructions} instructions, the kernel takes {MAXIMUM_INSTRUCTIONS}; name networks (`net`) instead of \
         hosts"
    )
}

/// Compiles `text`, a long one in parts. If libpcap refuses a part, the text was misunderstood here, and libpcap gets
/// the whole text.
fn compile<T: Activated>(handle: &Capture<T>, text: &str) -> Result<Vec<sock_filter>, String> {
    let compile = |text: &str| {
        let compiled = handle.compile(text, true).map_err(|error| words(&error))?;
        Ok(instructions(&compiled))
    };
    match Expression::parse(text) {
        Some(long) if long.is_long() => long.program(&compile).or_else(|_: String| compile(text)),
        _ => compile(text),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn hosts(count: u32) -> String {
        (0..count).fold(String::new(), |mut text, host| {
            let separator = if host == 0 { "" } else { " or " };
            write!(text, "{separator}host 10.{}.{}.{}", host >> 16, host >> 8 & 255, host & 255).unwrap();
            text
        })
    }

    fn for_ethernet(text: &str) -> Vec<sock_filter> {
        compile_for(text, Linktype(1)).unwrap_or_else(|failure| panic!("{}", failure.reason()))
    }

    /// An Ethernet frame of a UDP packet from `source` to `destination`.
    fn frame(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &[8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]].concat();
        frame.extend_from_slice(&source);
        frame.extend_from_slice(&destination);
        frame.extend_from_slice(&[0; 8]);
        frame
    }

    /// The verdict of a program as bpf(4) describes it, for the instructions that filters of hosts and ports have.
    fn accepts(program: &[sock_filter], frame: &[u8]) -> bool {
        let (mut at, mut accumulator, mut index) = (0, 0_u32, 0_usize);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let load = |start: usize, bytes: usize| {
                let loaded = frame.get(start..start + bytes)?;
                Some(loaded.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)))
            };
            let start = k as usize;
            let loaded = match code {
                0x20 => load(start, 4),
                0x28 => load(start, 2),
                0x30 => load(start, 1),
                0x48 => load(index + start, 2),
                0x50 => load(index + start, 1),
                _ => Some(accumulator),
            };
            let Some(loaded) = loaded else { return false };
            accumulator = loaded;
            let mut jump = |is_met| at += usize::from(if is_met { jt } else { jf });
            match code {
                0x20 | 0x28 | 0x30 | 0x48 | 0x50 => {}
                0xb1 => match frame.get(start) {
                    Some(&byte) => index = usize::from(byte & 15) * 4,
                    None => return false,
                },
                0x15 => jump(accumulator == k),
                0x25 => jump(accumulator > k),
                0x35 => jump(accumulator >= k),
                0x45 => jump(accumulator & k != 0),
                0x54 => accumulator &= k,
                0x05 => at += start,
                0x06 => return k != 0,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    /// Filters of 60 to 100 terms about few addresses and ports, as people write them.
    fn long_filter() -> impl Strategy<Value = String> {
        let host =
            (0..3_usize, 0..6_u8).prop_map(|(side, host)| format!("{}host 10.0.0.{host}", ["", "src ", "dst "][side]));
        let port = (0..2_usize, 0..4_u8).prop_map(|(side, port)| format!("{}port 5{port}", ["", "udp "][side]));
        let value = (0..6_u8).prop_map(|host| format!("host 10.0.0.{host} or 10.0.0.{}", host / 2));
        let alone = (0..4_usize).prop_map(|protocol| ["arp", "udp", "ip", "tcp"][protocol].to_owned());
        let term = prop_oneof![host, port, value, alone];
        let joined = |part: BoxedStrategy<String>, count| {
            let negated =
                (part, 0..5_usize).prop_map(|(part, form)| ["", "", "", "not ", "!"][form].to_owned() + &part);
            let operator = (0..4_usize).prop_map(|operator| [" or ", " or ", " and ", " || "][operator]);
            vec((negated, operator), count).prop_map(|parts| {
                let last = parts.len() - 1;
                let text = |(number, (part, operator)): (usize, (String, &str))| {
                    if number == last { part } else { part + operator }
                };
                parts.into_iter().enumerate().map(text).collect::<String>()
            })
        };
        let list = joined(term.boxed(), 15..40).prop_map(|list| format!("({list})"));
        joined(list.boxed(), 2..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Without libpcap's optimizer, which changes the meaning of some filters, and so of parts too: in 1.10.3
        /// `((src host a or host b or host c) and host a) or host c` rejects packets from `c` to `b`.
        #[test]
        fn long_filters_mean_the_same_to_libpcap(filter in long_filter()) {
            let handle = Capture::dead(Linktype(1)).unwrap();
            let compile = |text: &str| handle.compile(text, false).map(|program| instructions(&program));
            let whole = handle.compile(&filter, false).unwrap();
            let program = Expression::parse(&filter).unwrap().program(&compile).unwrap();
            for (source, destination) in (0..7).flat_map(|source| (0..7).map(move |to| (source, to))) {
                for port in [50, 51, 52, 9] {
                    let mut frame = frame([10, 0, 0, source], [10, 0, 0, destination]);
                    frame[37] = port;
                    prop_assert_eq!(accepts(&program, &frame), whole.filter(&frame), "{} of {}", port, filter);
                }
            }
        }
    }

    /// The program of `not (host … or host …)`.
    #[test]
    fn negated_list_in_brackets_leaves_its_hosts_out_alone() {
        let program = for_ethernet(&format!("udp and not ({})", hosts(700)));
        let other = [192, 0, 2, 1];
        for host in 0..700_u32 {
            let [_, a, b, c] = host.to_be_bytes();
            assert!(!accepts(&program, &frame([10, a, b, c], other)), "{host}");
        }
        assert!(accepts(&program, &frame(other, other)));
    }

    #[test]
    fn list_of_a_thousand_hosts_accepts_each_of_them_and_no_other() {
        let program = for_ethernet(&hosts(1_000));
        assert!(UserFilter::new(&hosts(1_000)).is_ok());
        let other = [192, 0, 2, 1];
        for host in 0..1_000_u32 {
            let [_, a, b, c] = host.to_be_bytes();
            assert!(accepts(&program, &frame([10, a, b, c], other)), "{host}");
            assert!(accepts(&program, &frame(other, [10, a, b, c])), "{host}");
        }
        assert!(!accepts(&program, &frame(other, other)));
        assert!(!accepts(&program, &frame([10, 0, 3, 232], other)), "host 1,000");
    }

    #[test]
    fn protocols_may_stand_in_a_list() {
        for protocol in
            ["arp", "icmp", "icmp6", "igmp", "esp", "ah", "rarp", "stp", "mpls", "outbound", "tcp", "pppoes"]
        {
            let filter = format!("{} or {protocol}", hosts(60));
            assert!(UserFilter::new(&filter).is_ok(), "{protocol}");
        }
    }

    #[test]
    fn filter_is_compiled_once_for_each_link_type() {
        let filter = UserFilter::new(&hosts(300)).unwrap();
        for link_type in [Linktype(1), COOKED_2] {
            let first = filter.program("eth0", link_type).unwrap();
            assert!(Arc::ptr_eq(&first, &filter.program("eth1", link_type).unwrap()));
        }
    }

    #[test]
    fn filter_that_compiles_too_slowly_is_not_tried_again() {
        let filter = UserFilter::new("tcp[13] = 2").unwrap();
        let slow = UserFilter { text: format!("{} or tcp[13] = 2", hosts(1_500)), ..filter };
        assert!(slow.program("eth0", Linktype(113)).is_err());
        assert!(slow.programs().get(&113).is_some_and(Result::is_err));
    }

    #[test]
    fn programs_are_joined_by_and() {
        let program = program::both(&for_ethernet("src host 10.0.0.1"), &for_ethernet("dst host 10.0.0.2"));
        let [one, two] = [[10, 0, 0, 1], [10, 0, 0, 2]];
        assert_eq!(
            [(one, two), (two, one), (one, one)].map(|(from, to)| accepts(&program, &frame(from, to))),
            [true, false, false]
        );
    }

    #[test]
    fn list_past_the_kernels_limit_is_refused_with_the_limit() {
        let error = UserFilter::new(&hosts(2_000)).unwrap_err().to_string();
        assert!(error.contains(" instructions, the kernel takes 4096"), "{error}");
        assert!(error.len() < 600, "{error}");
    }

    #[test]
    fn filter_that_compiles_too_slowly_is_refused_with_a_hint() {
        let slow = format!("{} or tcp[13] = 2", hosts(1_500));
        let error = UserFilter::new(&slow).unwrap_err().to_string();
        assert!(error.contains("compiling it takes longer than 5 s"), "{error}");
    }

    #[test]
    fn text_that_is_too_long_is_refused() {
        let error = UserFilter::new(&"x".repeat(MAXIMUM_TEXT + 1)).unwrap_err().to_string();
        assert!(error.contains("it has 65537 bytes, 65536 are allowed"), "{error}");
    }
}
