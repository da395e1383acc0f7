//! Settings of the kernel path. Takes nothing; gives values. Must not know options.

/// The source of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Daq {
    /// libpcap.
    #[default]
    Libpcap,
    /// A program at XDP: packets that come in, before the network stack.
    Xdp,
    /// A program at TC: packets that come in and packets that go out.
    Tc,
}

impl Daq {
    /// The value of the option.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Libpcap => "libpcap",
            Self::Xdp => "xdp",
            Self::Tc => "tc",
        }
    }
}

/// The place at which XDP runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XdpMode {
    /// In the driver if it can, else in the network stack.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
}

/// The hook of TC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TcHook {
    /// TCX where the kernel has it (Linux 6.6), else clsact.
    #[default]
    Auto,
    /// TCX: its links end with this process.
    Tcx,
    /// A clsact qdisc, for kernels before 6.6.
    Clsact,
}

/// Settings of the kernel path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The source of packets.
    pub daq: Daq,
    /// The place at which XDP runs.
    pub xdp_mode: XdpMode,
    /// The hook of TC.
    pub tc_hook: TcHook,
    /// Bytes of each ring between the kernel and this program: a power of two.
    pub ring_bytes: u32,
    /// The most memory of the kernel's maps that have values for each processor, in bytes.
    pub map_bytes: u64,
    /// True if packets of sources that are not permitted are dropped.
    pub drops_packets: bool,
    /// True if packets are dropped even where that may cut this host off.
    pub force: bool,
    /// The most conversations of each IP version in an interval, if `map_bytes` has space for them.
    pub max_conversations: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            daq: Daq::Libpcap,
            xdp_mode: XdpMode::Auto,
            tc_hook: TcHook::Auto,
            ring_bytes: 256 * 1024,
            map_bytes: 256 << 20,
            drops_packets: false,
            force: false,
            max_conversations: 65_536,
        }
    }
}
