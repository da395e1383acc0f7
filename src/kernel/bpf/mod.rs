//! The program in the kernel: loaded, attached, and its maps. Takes interfaces and networks; gives intervals. Must not
//! know threads.

mod attach;
mod clsact;
mod layout;
mod memory;
mod networks;
mod refusal;
mod rings;
mod rows;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use aya::maps::{Array, Map, MapData, MapError, PerCpuArray, PerCpuHashMap, PerCpuValues};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use ipnet::IpNet;

use super::{Config, Error, InterfaceTotals, KernelInterval};
use crate::os::bpf::{MapReader, processors, wait_for_programs};
use crate::os::traffic_control::interface_exists;
use crate::policy::{EventPace, Networks, Verdict};
use attach::Attachment;
pub use attach::check_rights;
use layout::{
    ANY_PROTOCOL, DROPS, GENERATIONS, JUDGES, Overflow, OverflowKey, Settings, Totals, VERSION_4, VERSION_6,
    totals_position,
};
use memory::MapSizes;
use networks::NetworkTries;
pub use refusal::check_interface;
use rings::RecordRings;
use rows::ClockOffset;
use slots::InterfaceSlots;

/// The stripped object that `scripts/ebpf.sh` builds.
static OBJECT: &[u8] = include_bytes_aligned!("../../../ebpf/trafficmonitor.o");

const SECOND: u64 = 1_000_000_000;
/// Time in which a program ends, where the kernel has no way to wait for that.
const PROGRAM_TIME: Duration = Duration::from_millis(50);
/// The kernel that has all that the program calls.
const NEEDS: &str = "Linux 5.18 or newer is needed";

/// The program and its maps. The kernel drops all of it with this value, or when the process ends in any way.
pub struct Kernel {
    config: Config,
    settings: Settings,
    ebpf: Ebpf,
    attachments: BTreeMap<u32, Attachment>,
    /// The interfaces on which the program has been at a place where packets are joined already.
    joining: BTreeSet<u32>,
    settings_map: Array<MapData, Settings>,
    slots: InterfaceSlots,
    totals: PerCpuArray<MapData, Totals>,
    overflow: PerCpuHashMap<MapData, OverflowKey, Overflow>,
    local: NetworkTries,
    policy: NetworkTries,
    read_overflow: MapReader,
    /// The conversations of each generation.
    v4: [MapReader; GENERATIONS],
    v6: [MapReader; GENERATIONS],
    rings: RecordRings,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("config", &self.config).field("attachments", &self.attachments).finish()
    }
}

impl Kernel {
    /// Loads the program into the kernel. `pace` limits the events of a source.
    ///
    /// # Errors
    /// When capabilities are missing, or the kernel is too old.
    pub fn load(config: &Config, pace: EventPace) -> Result<Self, Error> {
        attach::check_rights()?;
        let mut loader = EbpfLoader::new();
        let sizes = MapSizes::within(config.map_bytes, processors().map_err(refused)?, config.max_conversations);
        for conversations in ["V4_EVEN", "V4_ODD", "V6_EVEN", "V6_ODD"] {
            loader.map_max_entries(conversations, sizes.conversations);
        }
        loader.map_max_entries("TOTALS", sizes.interfaces * GENERATIONS as u32);
        loader.map_max_entries("SLOTS", sizes.interfaces).map_max_entries("OVERFLOW", sizes.overflow);
        for ring in ["MESSAGES", "REPORTS"] {
            loader.map_max_entries(ring, config.ring_bytes);
        }
        let mut ebpf = loader.load(OBJECT).map_err(refused)?;
        // While the maps have the descriptors that the programs name.
        attach::load_programs(&mut ebpf, config.daq)?;
        let mut take = |name: &'static str| ebpf.take_map(name).ok_or(MapError::InvalidName { name: name.to_owned() });
        let settings_map = Array::try_from(take("SETTINGS").map_err(refused)?).map_err(refused)?;
        let mut slots = |entries, all| InterfaceSlots::new(take(entries)?, take(all)?, sizes.interfaces);
        let slots = slots("INTERFACES", "SLOTS").map_err(refused)?;
        let totals = PerCpuArray::try_from(take("TOTALS").map_err(refused)?).map_err(refused)?;
        let overflow = take("OVERFLOW").map_err(refused)?;
        let read_overflow = reader(&overflow)?;
        let overflow = PerCpuHashMap::try_from(overflow).map_err(refused)?;
        let mut networks = |v4, v6| NetworkTries::new(take(v4)?, take(v6)?);
        let local = networks("LOCAL_V4", "LOCAL_V6").map_err(refused)?;
        let policy = networks("POLICY_V4", "POLICY_V6").map_err(refused)?;
        let rings = RecordRings::new(take("MESSAGES").map_err(refused)?, take("REPORTS").map_err(refused)?);
        let mut reader = |name| reader(&take(name).map_err(refused)?);
        let (v4, v6) = ([reader("V4_EVEN")?, reader("V4_ODD")?], [reader("V6_EVEN")?, reader("V6_ODD")?]);
        let event_interval = SECOND / u64::from(pace.per_second.max(1));
        let flags = if config.drops_packets { DROPS } else { 0 };
        let event_burst = event_interval * u64::from(pace.burst.max(1));
        let settings = Settings { generation: 0, flags, event_interval, event_burst };
        let mut kernel = Self {
            config: config.clone(),
            settings,
            ebpf,
            attachments: BTreeMap::new(),
            joining: BTreeSet::new(),
            settings_map,
            slots,
            totals,
            overflow,
            local,
            policy,
            read_overflow,
            v4,
            v6,
            rings: rings.map_err(refused)?,
        };
        kernel.apply_settings()?;
        sizes.say(config.max_conversations);
        Ok(kernel)
    }

    fn apply_settings(&mut self) -> Result<(), Error> {
        self.settings_map.set(0, self.settings, 0).map_err(|error| failed("set the kernel's program", error))
    }

    /// Attaches the program to an interface; gives the hook in words.
    ///
    /// # Errors
    /// When the interface has no such hook, or another program is there.
    pub fn attach(&mut self, index: u32, name: &str) -> Result<&'static str, Error> {
        self.make_counters(index)?;
        match Attachment::new(&mut self.ebpf, &self.config, index, name) {
            Ok(attachment) => {
                let words = attachment.words();
                self.keep(index, attachment);
                Ok(words)
            }
            Err(error) => {
                self.forget(index);
                Err(error)
            }
        }
    }

    /// Attaches the program again if another process has detached it; true if it was so. An interface that is gone stays
    /// as it is.
    ///
    /// # Errors
    /// When the program cannot be attached.
    pub fn keep_attached(&mut self, index: u32, name: &str) -> Result<bool, Error> {
        let is_whole = self.attachments.get(&index).is_some_and(Attachment::is_whole);
        if is_whole || !interface_exists(index) {
            return Ok(false);
        }
        // The other parts of it count in the new attachment.
        self.attachments.remove(&index);
        let attachment = Attachment::new(&mut self.ebpf, &self.config, index, name)?;
        self.keep(index, attachment);
        Ok(true)
    }

    fn keep(&mut self, index: u32, attachment: Attachment) {
        if attachment.is_joining() {
            self.joining.insert(index);
        }
        self.attachments.insert(index, attachment);
    }

    /// Detaches the program from an interface. Its counters stay until [`Kernel::forget`].
    pub fn detach(&mut self, index: u32) {
        self.attachments.remove(&index);
    }

    /// Makes the counters of an interface that the program finds, or else counts nothing.
    fn make_counters(&mut self, interface: u32) -> Result<(), Error> {
        let failed = |error| failed("make the kernel's counters", error);
        let slot = self.slots.next(interface).map_err(failed)?;
        for key in overflow_keys(interface) {
            let nothing = zeroes(Overflow::default()).map_err(failed)?;
            self.overflow.insert(key, nothing, 0).map_err(failed)?;
        }
        for generation in 0..GENERATIONS as u32 {
            self.clear_totals(slot, generation).map_err(failed)?;
        }
        self.slots.publish(interface).map_err(failed)
    }

    fn clear_totals(&mut self, slot: u32, generation: u32) -> Result<(), MapError> {
        self.totals.set(totals_position(slot, generation), zeroes(Totals::default())?, 0)
    }

    /// Removes the counters of an interface after its last interval was taken.
    pub fn forget(&mut self, interface: u32) {
        self.joining.remove(&interface);
        if let Err(error) = self.slots.remove(interface) {
            tracing::debug!(interface, %error, "the kernel's counters of an interface are gone already");
        }
        for key in overflow_keys(interface) {
            if let Err(error) = self.overflow.remove(&key) {
                tracing::debug!(interface, %error, "a counter of the kernel is gone already");
            }
        }
    }

    /// Sets the local networks, by which packets without a conversation count.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn set_local(&mut self, networks: &[IpNet]) -> Result<(), Error> {
        let local = networks.iter().map(|&network| (network, Verdict::Permitted));
        self.local.replace(local).map_err(|error| failed("set the local networks", error))
    }

    /// Sets the networks by which sources are judged; none if they are not judged. After an error the former ones hold.
    ///
    /// # Errors
    /// When there are more networks than the kernel's tables hold, or the kernel has no memory.
    pub fn set_policy(&mut self, networks: Option<&Networks>) -> Result<(), Error> {
        // First, or the program would meet empty lists, which permit nothing.
        if networks.is_none() {
            self.set_judging(false)?;
        }
        let of = |networks: &[IpNet], verdict| networks.iter().map(|&network| (network, verdict)).collect::<Vec<_>>();
        let permitted = networks.map(|networks| of(networks.permitted(), Verdict::Permitted)).unwrap_or_default();
        // Later ones decide: a network in both lists is denied.
        let denied = networks.map(|networks| of(networks.denied(), Verdict::NotPermitted)).unwrap_or_default();
        self.policy.replace(permitted.into_iter().chain(denied)).map_err(not_set)?;
        if networks.is_some() { self.set_judging(true) } else { Ok(()) }
    }

    /// Lets the program judge sources, or not. Waits until it does so on every processor.
    fn set_judging(&mut self, judges: bool) -> Result<(), Error> {
        let former = self.settings.flags;
        self.settings.flags = former & !JUDGES | if judges { JUDGES } else { 0 };
        if self.settings.flags == former {
            return Ok(());
        }
        let applied = self.apply_settings();
        if applied.is_err() {
            self.settings.flags = former;
        }
        wait_until_programs_end();
        applied
    }

    /// Waits until the rings should be read, `most` at most: the kernel wakes the reader if frames fill half of a ring.
    pub fn wait_for_records(&self, most: Duration) {
        self.rings.wait(most);
    }

    /// Takes the records out of the rings. To be called every 20 ms or so: the kernel does not wake the reader for each.
    pub fn read_rings(&mut self) {
        self.rings.read();
    }

    /// Ends an interval: lets the kernel fill the other generation, and takes all that it counted in this one.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn take_interval(&mut self) -> Result<KernelInterval, Error> {
        let ended = self.settings.generation;
        self.settings.generation = 1 - ended;
        if let Err(error) = self.apply_settings() {
            self.settings.generation = ended;
            return Err(error);
        }
        wait_until_programs_end();
        let clock = ClockOffset::now();
        let mut interval = KernelInterval { joining: self.joining.clone(), ..KernelInterval::default() };
        let at = ended as usize;
        self.take_conversations(at, clock, &mut interval)
            .map_err(|source| Error::Map { what: "read the kernel's conversations", source })?;
        self.take_totals(ended, &mut interval).map_err(|error| failed("read the kernel's counters", error))?;
        self.take_overflow(ended, &mut interval)
            .map_err(|source| Error::Map { what: "read the kernel's counters", source })?;
        rows::find_overflow_verdicts(&mut interval);
        self.rings.read();
        self.rings.give(clock, &mut interval);
        interval.sort();
        Ok(interval)
    }

    fn take_conversations(&mut self, at: usize, clock: ClockOffset, interval: &mut KernelInterval) -> io::Result<()> {
        let slots = &self.slots;
        while let Some(batch) = self.v4[at].take()? {
            interval
                .rows_v4
                .extend(batch.entries().filter_map(|(key, values)| rows::row_v4(clock, slots, key, values)));
            self.rings.read();
        }
        while let Some(batch) = self.v6[at].take()? {
            interval
                .rows_v6
                .extend(batch.entries().filter_map(|(key, values)| rows::row_v6(clock, slots, key, values)));
            self.rings.read();
        }
        Ok(())
    }

    /// Takes the totals of all slots that are taken.
    fn take_totals(&mut self, generation: u32, interval: &mut KernelInterval) -> Result<(), MapError> {
        let taken: Vec<(u32, u32)> = self.slots.taken().collect();
        for (interface, slot) in taken {
            let totals = rows::totals(interface, &self.totals.get(&totals_position(slot, generation), 0)?);
            if totals != InterfaceTotals::nothing(interface) {
                interval.totals.push(totals);
                self.clear_totals(slot, generation)?;
            }
        }
        Ok(())
    }

    /// Takes the sums of packets without a conversation. The entries of [`overflow_keys`] stay.
    fn take_overflow(&mut self, generation: u32, interval: &mut KernelInterval) -> io::Result<()> {
        let (mut kept, mut removed) = (Vec::new(), Vec::new());
        while let Some(batch) = self.read_overflow.read()? {
            for (bytes, values) in batch.entries() {
                let of_generation = |key: &OverflowKey| u32::from(key.generation) == generation;
                let Some(key) = layout::read(bytes).filter(of_generation) else { continue };
                let values: Vec<Overflow> = layout::per_processor(values).collect();
                let sum = rows::overflow(&key, &values);
                interval.overflow.extend(sum);
                match key.protocol {
                    ANY_PROTOCOL if sum.is_some() => kept.extend(bytes),
                    ANY_PROTOCOL => {}
                    _ => removed.extend(bytes),
                }
            }
        }
        self.read_overflow.clear(&kept)?;
        self.read_overflow.remove(&removed)
    }
}

/// The keys of the counters that take the packets for which no other is free.
fn overflow_keys(interface: u32) -> impl Iterator<Item = OverflowKey> {
    let kinds = (0..4).flat_map(|direction| [VERSION_4, VERSION_6].map(|version| (direction, version)));
    kinds.flat_map(move |(direction, version)| {
        [0, 1].map(|generation| OverflowKey { interface, generation, direction, protocol: ANY_PROTOCOL, version })
    })
}

/// The same value for each processor.
fn zeroes<T: aya::Pod>(nothing: T) -> Result<PerCpuValues<T>, MapError> {
    let processors = nr_cpus().map_err(|(_, source)| source).map_err(MapError::IoError)?;
    PerCpuValues::try_from(vec![nothing; processors]).map_err(MapError::IoError)
}

fn reader(map: &Map) -> Result<MapReader, Error> {
    let Map::PerCpuHashMap(map) = map else {
        return Err(refused("a map of conversations has another kind"));
    };
    MapReader::new(map.fd().as_fd()).map_err(refused)
}

/// Waits until every program that runs now has ended.
fn wait_until_programs_end() {
    if let Err(error) = wait_for_programs() {
        tracing::trace!(%error, "the kernel does not wait for its programs");
        std::thread::sleep(PROGRAM_TIME);
    }
}

fn not_set(error: MapError) -> Error {
    match failed("set the permitted networks", error) {
        Error::Map { source, .. } if source.kind() == io::ErrorKind::StorageFull => Error::TooManyNetworks,
        other => other,
    }
}

fn refused(error: impl ToString) -> Error {
    Error::Load { reason: error.to_string(), needs: NEEDS }
}

fn failed(what: &'static str, error: MapError) -> Error {
    let source = match error {
        MapError::SyscallError(error) => error.io_error,
        MapError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    };
    Error::Map { what, source }
}
