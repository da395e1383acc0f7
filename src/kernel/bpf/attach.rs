//! The attachments of the program to an interface. Takes interfaces; gives attachments that end with their value. Must
//! not know maps.
//!
//! Links of XDP and TCX are descriptors, so the kernel detaches the program when this process ends in any way. Filters
//! of a clsact qdisc do not (`clsact`).

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::Ebpf;
use aya::programs::{ProgramError, SchedClassifier, Xdp};

use super::clsact::{ClsactFailure, ClsactFilters};
use super::{NEEDS, refusal, refused};
use crate::kernel::leftovers;
use crate::kernel::{Config, Daq, Error, TcHook, XdpMode};
use crate::os::bpf::{LinkPlace, create_link, is_link_attached};
use crate::os::namespace_lock::{LockFailure, NamespaceLock};
use crate::os::traffic_control::ClsactHook;

const XDP: &str = "tm_xdp";

/// Capabilities and their numbers in linux/capability.h. The older one includes two of them.
const NEEDED: [(&str, u32); 3] = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38)];
const CAP_SYS_ADMIN: u32 = 21;

/// Errors of the kernel (errno.h).
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// Checks that this process has the capabilities that load the program.
///
/// # Errors
/// When it lacks some.
pub fn check_rights() -> Result<(), Error> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let missing = missing_rights(&status);
    if missing.is_empty() {
        return Ok(());
    }
    let program =
        std::env::current_exe().map_or_else(|_| "./trafficmonitor".to_owned(), |path| path.display().to_string());
    let verb = if missing.len() == 1 { "is" } else { "are" };
    Err(Error::Permission { missing: format!("{} {verb}", missing.join(", ")), program })
}

fn missing_rights(status: &str) -> Vec<&'static str> {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(held) = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()) else { return Vec::new() };
    let has = |number: u32| held >> number & 1 != 0;
    let is_included = |name: &str| name != "CAP_NET_ADMIN" && has(CAP_SYS_ADMIN);
    NEEDED.iter().filter(|(name, number)| !has(*number) && !is_included(name)).map(|(name, _)| *name).collect()
}

/// Loads the programs that `daq` needs.
pub(super) fn load_programs(ebpf: &mut Ebpf, daq: Daq) -> Result<(), Error> {
    match daq {
        Daq::Xdp => xdp(ebpf)?.load().map_err(refused_program),
        Daq::Libpcap | Daq::Tc => {
            let load = |hook| classifier(ebpf, leftovers::program(hook))?.load().map_err(refused_program);
            ClsactHook::ALL.into_iter().try_for_each(load)
        }
    }
}

pub(super) fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp, Error> {
    ebpf.program_mut(XDP).and_then(|program| program.try_into().ok()).ok_or_else(|| refused("no XDP program"))
}

pub(super) fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, Error> {
    ebpf.program_mut(name).and_then(|program| program.try_into().ok()).ok_or_else(|| refused("no TC program"))
}

/// The verifier's log is long; its end says what is wrong.
fn refused_program(error: ProgramError) -> Error {
    let reason = match &error {
        ProgramError::LoadError { io_error, verifier_log } => {
            tracing::debug!("the verifier says: {verifier_log}");
            io_error.to_string()
        }
        other => other.to_string(),
    };
    Error::Load { reason, needs: NEEDS }
}

/// The program on one interface, until this value is dropped.
#[derive(Debug)]
pub(super) struct Attachment {
    hold: Hold,
    words: &'static str,
    /// True if packets come joined, without the number that each one was on the wire.
    is_joining: bool,
}

/// The value that keeps the program attached.
#[derive(Debug)]
enum Hold {
    /// The lock names this process to another one that finds its program; none if another process has the lock.
    Xdp(OwnedFd, Option<NamespaceLock>),
    Tcx(Vec<OwnedFd>),
    Clsact(ClsactFilters),
}

impl Attachment {
    pub(super) fn new(ebpf: &mut Ebpf, config: &Config, index: u32, name: &str) -> Result<Self, Error> {
        refusal::check_kind(index, name)?;
        let interface = Interface { index, name };
        match (config.daq, config.tc_hook) {
            (Daq::Xdp, _) => {
                leftovers::remove(index, name);
                interface.attach_xdp(xdp(ebpf)?, config.xdp_mode)
            }
            (_, TcHook::Clsact) => interface.attach_clsact(ebpf),
            (_, TcHook::Tcx) => interface.attach_tcx(ebpf)?.map_err(|error| interface.error(&error)),
            (_, TcHook::Auto) => match interface.attach_tcx(ebpf)? {
                Err(error) if matches!(error.raw_os_error(), Some(EINVAL | EOPNOTSUPP)) => {
                    interface.attach_clsact(ebpf)
                }
                attached => attached.map_err(|error| interface.error(&error)),
            },
        }
    }

    /// The way in words.
    pub(super) fn words(&self) -> &'static str {
        self.words
    }

    /// True if the network stack joins packets before the program sees them, and the program is not told of how many: XDP
    /// in the network stack.
    pub(super) fn is_joining(&self) -> bool {
        self.is_joining
    }

    /// True if the program is still attached, as far as the kernel tells.
    pub(super) fn is_whole(&self) -> bool {
        let is_attached = |link: &OwnedFd| is_link_attached(link.as_fd());
        let is_whole = match &self.hold {
            Hold::Xdp(link, lock) => {
                lock.iter().for_each(NamespaceLock::forget_askers);
                is_attached(link)
            }
            Hold::Tcx(links) => {
                links.iter().map(is_attached).try_fold(true, |are_attached, link| Ok(are_attached && link?))
            }
            Hold::Clsact(filters) => filters.are_whole(),
        };
        is_whole.unwrap_or_else(|error: io::Error| {
            tracing::debug!(%error, "the kernel does not tell whether its program is attached");
            true
        })
    }
}

/// An interface that the program is being attached to.
#[derive(Debug, Clone, Copy)]
struct Interface<'a> {
    index: u32,
    name: &'a str,
}

impl Interface<'_> {
    fn attach_xdp(self, program: &Xdp, mode: XdpMode) -> Result<Attachment, Error> {
        let program = program.fd().map_err(refused)?.as_fd();
        let lock = refusal::xdp_lock(self.index);
        let (attached, place) = self.link_xdp(program, mode);
        let name = self.name.to_owned();
        match (attached, lock) {
            (Ok(link), lock) => Ok(self.xdp_attachment(Hold::Xdp(link, lock.ok()), place)),
            (Err(error), Err(LockFailure::Held(process))) if is_occupied(&error) => {
                Err(refusal::xdp_in_use(self.name, process))
            }
            (Err(error), _) if is_occupied(&error) => {
                Err(Error::Occupied { name, place: refusal::occupied_place(self.name) })
            }
            (Err(error), _) if mode == XdpMode::Native => Err(Error::NoNativeXdp { name, reason: error.to_string() }),
            (Err(error), _) => Err(self.error(&error)),
        }
    }

    /// The link or its failure, and the place that was tried last.
    fn link_xdp(self, program: BorrowedFd<'_>, mode: XdpMode) -> (io::Result<OwnedFd>, LinkPlace) {
        let link = |place| (create_link(program, self.index, place), place);
        match mode {
            XdpMode::Native => link(LinkPlace::XdpDriver),
            XdpMode::Generic => link(LinkPlace::XdpStack),
            XdpMode::Auto => match link(LinkPlace::XdpDriver) {
                (Err(error), _) if !is_occupied(&error) => {
                    let (interface, reason) = (self.name, error.to_string());
                    tracing::info!(interface, reason, "the driver has no native XDP as it is set up");
                    link(LinkPlace::XdpStack)
                }
                linked => linked,
            },
        }
    }

    fn xdp_attachment(self, hold: Hold, place: LinkPlace) -> Attachment {
        if place != LinkPlace::XdpStack {
            return Attachment { hold, words: "XDP in the driver", is_joining: false };
        }
        tracing::info!(
            interface = self.name,
            "packets on the wire are not counted: the network stack may join packets before XDP sees them"
        );
        Attachment { hold, words: "XDP in the network stack", is_joining: true }
    }

    /// The outer error is about the program, the inner one about the interface.
    fn attach_tcx(self, ebpf: &Ebpf) -> Result<io::Result<Attachment>, Error> {
        let mut links = Vec::new();
        for (hook, program) in self.programs(ebpf)? {
            let place = match hook {
                ClsactHook::Ingress => LinkPlace::TcxIngress,
                ClsactHook::Egress => LinkPlace::TcxEgress,
            };
            match create_link(program, self.index, place) {
                Ok(link) => links.push(link),
                Err(error) => return Ok(Err(error)),
            }
        }
        // Not before: where the kernel lacks TCX, clsact takes over the qdisc of a killed process.
        leftovers::remove(self.index, self.name);
        Ok(Ok(Attachment { hold: Hold::Tcx(links), words: "TC (TCX)", is_joining: false }))
    }

    fn attach_clsact(self, ebpf: &Ebpf) -> Result<Attachment, Error> {
        match ClsactFilters::add(self.index, self.name, &self.programs(ebpf)?) {
            Ok(filters) => Ok(Attachment { hold: Hold::Clsact(filters), words: "TC (clsact)", is_joining: false }),
            Err(ClsactFailure::Held(process)) => Err(refusal::clsact_in_use(self.name, process)),
            Err(ClsactFailure::Refused(error)) => Err(self.error(&error)),
        }
    }

    /// The programs by their hooks. Frames on the loopback interface pass both ways, and count once.
    fn programs(self, ebpf: &Ebpf) -> Result<Vec<(ClsactHook, BorrowedFd<'_>)>, Error> {
        let hooks = ClsactHook::ALL
            .into_iter()
            .filter(|hook| *hook == ClsactHook::Ingress || !refusal::is_loopback(self.index));
        hooks
            .map(|hook| {
                let program = ebpf.program(leftovers::program(hook)).and_then(|program| program.try_into().ok());
                let program: &SchedClassifier = program.ok_or_else(|| refused("no TC program"))?;
                Ok((hook, program.fd().map_err(refused)?.as_fd()))
            })
            .collect()
    }

    fn error(self, error: &io::Error) -> Error {
        Error::Attach { name: self.name.to_owned(), reason: error.to_string() }
    }
}

fn is_occupied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EBUSY | EEXIST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let with = |bits: u64| missing_rights(&format!("Name:\ttest\nCapEff:\t{bits:016x}\n"));
        assert_eq!(with(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(with(1 << 12), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(with(1 << 21), ["CAP_NET_ADMIN"]);
        assert!(with(1 << 12 | 1 << 38 | 1 << 39).is_empty());
        assert!(with(1 << 12 | 1 << 21).is_empty());
    }
}
