//! The capabilities that stay. Takes the configuration and the capabilities that the process has; gives those of each
//! thread. Must not know threads.

use crate::config::Config;
use crate::kernel::Daq;
use crate::os::confinement::CapabilitySet;
use crate::os::threads::Needs;

/// The capabilities that stay, by [`Needs`].
pub(super) type Kept = [CapabilitySet; Needs::ALL.len()];

/// The setting for which a thread looks at other processes: for their names, or for SSH sessions that dropping packets would
/// cut off. Such a thread cannot have rules for files (landlock(7)).
pub(super) fn setting_that_looks_at_processes(config: &Config) -> Option<&'static str> {
    let is_live = config.source.is_none();
    match () {
        () if is_live && config.names.processes => Some("names.processes"),
        () if is_live && config.kernel.drops_packets && !config.kernel.force => Some("kernel.drop_packets"),
        () => None,
    }
}

/// The capabilities that each kind of thread keeps of those that the process has.
pub(super) fn kept(config: &Config, held: CapabilitySet) -> Kept {
    Needs::ALL.map(|needs| held & needed(config, needs, held))
}

fn needed(config: &Config, needs: Needs, held: CapabilitySet) -> CapabilitySet {
    let nothing = CapabilitySet::empty();
    if config.source.is_some() {
        return nothing;
    }
    match needs {
        Needs::Nothing => nothing,
        // Interfaces come, come back, and get smaller rings.
        Needs::PacketSockets if config.kernel.daq == Daq::Libpcap => CapabilitySet::NET_RAW,
        Needs::KernelPrograms if config.kernel.daq != Daq::Libpcap => {
            // The older capability, where the newer one is missing.
            let bpf = CapabilitySet::BPF;
            CapabilitySet::NET_ADMIN | if held.contains(bpf) { bpf } else { CapabilitySet::SYS_ADMIN }
        }
        Needs::OtherProcesses if setting_that_looks_at_processes(config).is_some() => {
            CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH
        }
        Needs::PacketSockets | Needs::KernelPrograms | Needs::OtherProcesses => nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &Config) -> Kept {
        kept(config, CapabilitySet::all())
    }

    #[test]
    fn threads_keep_what_their_way_of_capturing_needs() {
        let none = CapabilitySet::empty();
        let mut config = Config::default();
        assert_eq!(of(&config), [none, CapabilitySet::NET_RAW, none, none]);
        config.names.processes = true;
        let processes = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
        assert_eq!(of(&config), [none, CapabilitySet::NET_RAW, none, processes]);
        config.source = Some("a.pcap".into());
        assert_eq!(of(&config), [none; 4], "a file needs none");
    }

    #[test]
    fn kernel_path_keeps_other_capabilities_and_the_older_one_only_in_need() {
        let none = CapabilitySet::empty();
        let mut config = Config::default();
        config.kernel.daq = Daq::Tc;
        let new = CapabilitySet::NET_ADMIN | CapabilitySet::BPF;
        assert_eq!(of(&config), [none, none, new, none]);
        let old = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
        assert_eq!(kept(&config, old), [none, none, old, none]);
    }

    #[test]
    fn nothing_is_kept_that_the_process_does_not_have() {
        assert_eq!(kept(&Config::default(), CapabilitySet::NET_ADMIN), [CapabilitySet::empty(); 4]);
    }

    #[test]
    fn other_processes_are_looked_at_for_names_and_before_packets_are_dropped() {
        let mut config = Config::default();
        assert_eq!(setting_that_looks_at_processes(&config), None);
        config.kernel.drops_packets = true;
        assert_eq!(setting_that_looks_at_processes(&config), Some("kernel.drop_packets"));
        config.kernel.force = true;
        assert_eq!(setting_that_looks_at_processes(&config), None);
        config.names.processes = true;
        assert_eq!(setting_that_looks_at_processes(&config), Some("names.processes"));
    }
}
