//! Declarations: the limit on memory. Gives the declarations. Must not know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Declaration, setting};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::numbers::MEMORY_LIMIT;

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[setting(
    &[("memory", "limit")],
    access!(MEMORY_LIMIT, config.memory.limit_bytes),
)
.named("memory.limit", "TRAFFICMONITOR_MEMORY_LIMIT", "SIZE", "0")
.help(
    "Most resident memory, such as 64MiB: all budgets that are not given are derived from it, and budgets that cannot \
               fit are refused; 0 for no limit of its own",
)];
