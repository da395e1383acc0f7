//! Declarations: the kernel path. Gives the declarations. Must not know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Declaration, setting};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::keywords::{BOOLEAN, DAQ, TC_HOOK, XDP_MODE};
use crate::config::kinds::numbers::{KERNEL_MAP_BYTES, KERNEL_RING_BYTES};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("kernel", "daq")], access!(DAQ, config.kernel.daq))
        .named("daq", "TRAFFICMONITOR_DAQ", "SOURCE", "libpcap")
        .help("Where packets are counted: `libpcap`; `xdp`, in the kernel as they come in; `tc`, in the kernel as they come in and go out"),
    setting(&[("kernel", "xdp_mode")], access!(XDP_MODE, config.kernel.xdp_mode))
        .named("xdp.mode", "TRAFFICMONITOR_XDP_MODE", "MODE", "auto")
        .help("Where XDP runs: `native`, in the driver; `generic`, in the network stack; `auto`, in the driver if it can"),
    setting(&[("kernel", "tc_hook")], access!(TC_HOOK, config.kernel.tc_hook))
        .named("tc.hook", "TRAFFICMONITOR_TC_HOOK", "HOOK", "auto")
        .help("The hook of `-daq tc`: `tcx` (Linux 6.6 or newer), `clsact`, or `auto`, the first of them that the kernel has"),
    setting(&[("kernel", "ring_size")], access!(KERNEL_RING_BYTES, config.kernel.ring_bytes))
        .named("xdp.ring-size", "TRAFFICMONITOR_XDP_RING_SIZE", "SIZE", "256KiB")
        .help("Size of each ring between the kernel's program and this one, a power of two"),
    setting(&[("kernel", "map_memory")], access!(KERNEL_MAP_BYTES, config.kernel.map_bytes))
        .named("xdp.map-memory", "TRAFFICMONITOR_XDP_MAP_MEMORY", "SIZE", "256MiB")
        .help("The most memory of the kernel's maps that have values for each processor"),
    setting(&[("kernel", "drop_packets")], access!(BOOLEAN, config.kernel.drops_packets))
        .switch("drop-packets", "TRAFFICMONITOR_DROP_PACKETS", "false")
        .help("Drop packets whose source is not permitted (implies -daq xdp)"),
    setting(&[("kernel", "force")], access!(BOOLEAN, config.kernel.force))
        .switch("force", "TRAFFICMONITOR_FORCE", "false")
        .help("Drop packets even if that cuts off the default gateway or the peer of an SSH session"),
];
