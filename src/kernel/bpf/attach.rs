//! The links between the program and an interface. Takes interfaces; gives attachments that end with their value. Must
//! not know maps.
//!
//! Links of XDP and TCX are descriptors, so the kernel detaches the program when this process ends in any way. Filters
//! of a clsact qdisc stay behind after SIGKILL; the next attachment to the interface removes them.

use std::fs;

use aya::Ebpf;
use aya::programs::links::FdLink;
use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType, TcError, Xdp, XdpError, XdpMode as AyaMode,
};

use super::{NEEDS, refused};
use crate::kernel::{Config, Daq, Error, TcHook, XdpMode};
use crate::os::bpf::remove_clsact;

const XDP: &str = "tm_xdp";
const INGRESS: &str = "tm_ingress";
const EGRESS: &str = "tm_egress";

/// ARPHRD_ETHER and ARPHRD_LOOPBACK: frames of both begin with Ethernet's header.
const ETHERNET: [&str; 2] = ["1", "772"];

/// Capabilities and their numbers in linux/capability.h. The older one includes two of them.
const NEEDED: [(&str, u32); 3] = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38)];
const CAP_SYS_ADMIN: u32 = 21;

/// Errors of the kernel (errno.h).
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;
const EOPNOTSUPP: i32 = 95;

/// Fails if this process lacks capabilities.
pub(super) fn check_rights() -> Result<(), Error> {
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
            classifier(ebpf, INGRESS)?.load().map_err(refused_program)?;
            classifier(ebpf, EGRESS)?.load().map_err(refused_program)
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
    links: Vec<AttachedLink>,
    /// The interface whose qdisc was made for this.
    made_qdisc: Option<u32>,
    words: &'static str,
}

/// A link that detaches when it is dropped.
#[derive(Debug)]
enum AttachedLink {
    Descriptor(#[expect(dead_code, reason = "detaches when it is dropped")] FdLink),
    Filter(#[expect(dead_code, reason = "detaches when it is dropped")] SchedClassifierLink),
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.links.clear();
        if let Some(index) = self.made_qdisc
            && let Err(error) = remove_clsact(index)
        {
            tracing::debug!(%error, "the clsact qdisc is gone already");
        }
    }
}

impl Attachment {
    pub(super) fn new(ebpf: &mut Ebpf, config: &Config, index: u32, name: &str) -> Result<Self, Error> {
        if !is_ethernet(name) {
            return Err(Error::NotEthernet { name: name.to_owned() });
        }
        match config.daq {
            Daq::Xdp => Self::at_xdp(xdp(ebpf)?, config.xdp_mode, index, name),
            Daq::Libpcap | Daq::Tc => match config.tc_hook {
                TcHook::Clsact => Self::at_clsact(ebpf, index, name),
                TcHook::Tcx => Self::at_tcx(ebpf, name).map_err(|error| attach_error(name, &error)),
                TcHook::Auto => match Self::at_tcx(ebpf, name) {
                    Err(error) if matches!(errno(&error), Some(EINVAL | EOPNOTSUPP)) => {
                        Self::at_clsact(ebpf, index, name)
                    }
                    attached => attached.map_err(|error| attach_error(name, &error)),
                },
            },
        }
    }

    /// The way in words.
    pub(super) fn words(&self) -> &'static str {
        self.words
    }

    fn at_xdp(program: &mut Xdp, mode: XdpMode, index: u32, name: &str) -> Result<Self, Error> {
        let native = |program: &mut Xdp| xdp_link(program, index, AyaMode::Driver);
        let generic = |program: &mut Xdp| xdp_link(program, index, AyaMode::Skb);
        let (attached, words) = match mode {
            XdpMode::Native => (native(program), "XDP in the driver"),
            XdpMode::Generic => (generic(program), "XDP in the network stack"),
            XdpMode::Auto => match native(program) {
                Err(error) if !is_occupied(&error) => (generic(program), "XDP in the network stack"),
                attached => (attached, "XDP in the driver"),
            },
        };
        match attached {
            Ok(link) => Ok(Self { links: vec![AttachedLink::Descriptor(link)], made_qdisc: None, words }),
            Err(error) if is_occupied(&error) => Err(Error::Occupied { name: name.to_owned() }),
            Err(error) if mode == XdpMode::Native => {
                Err(Error::NoNativeXdp { name: name.to_owned(), reason: reason(&error) })
            }
            Err(error) => Err(attach_error(name, &error)),
        }
    }

    fn at_tcx(ebpf: &mut Ebpf, name: &str) -> Result<Self, ProgramError> {
        let mut links = Vec::new();
        for (program, hook) in hooks(name) {
            let program: &mut SchedClassifier = ebpf.program_mut(program).ok_or(ProgramError::NotLoaded)?.try_into()?;
            let order = TcAttachOptions::TcxOrder(LinkOrder::default());
            let link = program.attach_with_options(name, hook, order)?;
            links.push(AttachedLink::Descriptor(
                FdLink::try_from(program.take_link(link)?).map_err(|_| ProgramError::NotAttached)?,
            ));
        }
        Ok(Self { links, made_qdisc: None, words: "TC (TCX)" })
    }

    fn at_clsact(ebpf: &mut Ebpf, index: u32, name: &str) -> Result<Self, Error> {
        let made = match tc::qdisc_add_clsact(name) {
            Ok(()) => true,
            Err(error) if tc_errno(&error) == Some(EEXIST) => false,
            Err(error) => return Err(attach_error(name, &ProgramError::TcError(error))),
        };
        let mut attachment = Self { links: Vec::new(), made_qdisc: made.then_some(index), words: "TC (clsact)" };
        for (program, hook) in hooks(name) {
            remove_stale(name, hook, program);
            let program = classifier(ebpf, program)?;
            let options = TcAttachOptions::Netlink(NlOptions::default());
            let link = program.attach_with_options(name, hook, options).and_then(|link| program.take_link(link));
            attachment.links.push(AttachedLink::Filter(link.map_err(|error| attach_error(name, &error))?));
        }
        Ok(attachment)
    }
}

/// The programs of an interface. Frames on the loopback interface pass both ways, and count once.
fn hooks(name: &str) -> Vec<(&'static str, TcAttachType)> {
    let both = [(INGRESS, TcAttachType::Ingress), (EGRESS, TcAttachType::Egress)];
    both.into_iter().filter(|(program, _)| *program == INGRESS || !is_loopback(name)).collect()
}

/// Removes the filters that an earlier process of this program left behind.
fn remove_stale(name: &str, hook: TcAttachType, program: &str) {
    match tc::qdisc_detach_program(name, hook, program) {
        Ok(()) => tracing::info!(interface = name, "removed a filter that an earlier process left behind"),
        Err(error) => tracing::trace!(interface = name, %error, "no filter of an earlier process"),
    }
}

fn xdp_link(program: &mut Xdp, index: u32, mode: AyaMode) -> Result<FdLink, ProgramError> {
    let link = program.attach_to_if_index(index, mode)?;
    // A link without a descriptor would stay behind after SIGKILL.
    FdLink::try_from(program.take_link(link)?).map_err(|_| ProgramError::NotAttached)
}

fn is_occupied(error: &ProgramError) -> bool {
    matches!(errno(error), Some(EBUSY | EEXIST))
}

fn attach_error(name: &str, error: &ProgramError) -> Error {
    Error::Attach { name: name.to_owned(), reason: reason(error) }
}

fn reason(error: &ProgramError) -> String {
    match (errno(error), error) {
        (Some(ENOENT), _) => "no such interface".to_owned(),
        (_, ProgramError::SyscallError(error)) => error.io_error.to_string(),
        (_, other) => other.to_string(),
    }
}

fn errno(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::TcError(error) => tc_errno(error),
        ProgramError::XdpError(XdpError::NetlinkError(error)) => error.raw_os_error(),
        _ => None,
    }
}

fn tc_errno(error: &TcError) -> Option<i32> {
    match error {
        TcError::NetlinkError(error) => error.raw_os_error(),
        TcError::IoError(error) => error.raw_os_error(),
        _ => None,
    }
}

fn is_ethernet(name: &str) -> bool {
    let kind = fs::read_to_string(format!("/sys/class/net/{name}/type"));
    kind.map_or(true, |kind| ETHERNET.contains(&kind.trim()))
}

fn is_loopback(name: &str) -> bool {
    fs::read_to_string(format!("/sys/class/net/{name}/type")).is_ok_and(|kind| kind.trim() == ETHERNET[1])
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
