//! The kernel path where it is not built. Takes nothing; gives the refusal. Must not know BPF.

use std::time::Duration;

use ipnet::IpNet;

use super::{Config, Error, KernelInterval};
use crate::policy::{EventPace, Networks};

/// Refuses: there is no program to load.
///
/// # Errors
/// Always.
pub fn check_rights() -> Result<(), Error> {
    Err(Error::NotBuilt)
}

/// Refuses: there is no program to attach.
///
/// # Errors
/// Always.
pub fn check_interface(_: &Config, _: u32, _: &str) -> Result<(), Error> {
    Err(Error::NotBuilt)
}

/// Never made.
#[derive(Debug)]
pub enum Unbuilt {}

#[allow(missing_docs, reason = "as of the kernel path that is built")]
#[allow(clippy::missing_errors_doc, reason = "as of the kernel path that is built")]
impl Unbuilt {
    pub fn load(_: &Config, _: EventPace) -> Result<Self, Error> {
        Err(Error::NotBuilt)
    }

    pub fn attach(&mut self, _: u32, _: &str) -> Result<&'static str, Error> {
        match *self {}
    }

    pub fn keep_attached(&mut self, _: u32, _: &str) -> Result<bool, Error> {
        match *self {}
    }

    pub fn detach(&mut self, _: u32) {
        match *self {}
    }

    pub fn forget(&mut self, _: u32) {
        match *self {}
    }

    pub fn set_local(&mut self, _: &[IpNet]) -> Result<(), Error> {
        match *self {}
    }

    pub fn set_policy(&mut self, _: Option<&Networks>) -> Result<(), Error> {
        match *self {}
    }

    pub fn wait_for_records(&self, _: Duration) {
        match *self {}
    }

    pub fn read_rings(&mut self) {
        match *self {}
    }

    pub fn take_interval(&mut self) -> Result<KernelInterval, Error> {
        match *self {}
    }
}
