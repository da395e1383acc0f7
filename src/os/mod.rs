//! System calls of Linux that the standard library lacks, behind safe functions. Takes descriptors and names of
//! interfaces; gives the kernel's answers. Must not know packets, nor the use of an answer.

#![allow(unsafe_code)]

pub mod allocator;
pub mod bpf;
pub mod calls;
pub mod cgroup;
pub mod clock;
pub mod confinement;
pub mod epoll;
pub mod ethtool;
pub mod files;
pub mod namespace_lock;
pub mod priority;
pub mod processes;
#[cfg(test)]
pub(crate) mod rerun;
pub mod socket;
pub mod threads;
pub mod traffic_control;
