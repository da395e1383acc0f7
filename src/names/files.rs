//! The configured files with names. Takes the configuration; gives the files to read, and the faults of those that cannot be
//! used. Must not know the names in them.

use std::path::Path;

use super::Config;
use super::places::PlaceDatabase;
use super::watched::{Excess, WatchedFile};

/// The most bytes of files that are read.
const MOST_LEASE_BYTES: u64 = 16 << 20;
const MOST_HOSTS_BYTES: u64 = 16 << 20;
const MOST_VENDOR_BYTES: u64 = 32 << 20;
const MOST_DATABASE_BYTES: u64 = 512 << 20;

pub(super) fn leases(path: &Path) -> WatchedFile {
    WatchedFile::new(path, MOST_LEASE_BYTES, Excess::KeepTail)
}

pub(super) fn hosts(path: &Path) -> WatchedFile {
    WatchedFile::new(path, MOST_HOSTS_BYTES, Excess::Refuse)
}

pub(super) fn vendors(path: &Path) -> WatchedFile {
    WatchedFile::new(path, MOST_VENDOR_BYTES, Excess::Refuse)
}

pub(super) fn database(path: &Path) -> WatchedFile {
    WatchedFile::new(path, MOST_DATABASE_BYTES, Excess::Refuse)
}

/// The files that cannot be used now, in sentences.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let Config { lease_files, hosts_file, oui_file, country_file, asn_file, .. } = config;
    let texts = lease_files.iter().map(|path| leases(path));
    let texts = texts.chain(hosts_file.iter().map(|path| hosts(path))).chain(oui_file.iter().map(|path| vendors(path)));
    let of_texts = texts.filter_map(|file| fault(file, |_| None));
    let databases = [country_file, asn_file].into_iter().flatten().map(|path| database(path));
    let of_database = |bytes| PlaceDatabase::parse(bytes).err().map(|error| error.to_string());
    of_texts.chain(databases.filter_map(|file| fault(file, of_database))).collect()
}

/// The fault of a file, or of its contents.
fn fault(mut file: WatchedFile, of_contents: impl Fn(Vec<u8>) -> Option<String>) -> Option<String> {
    let fault = match file.read()? {
        Ok(bytes) => of_contents(bytes)?,
        Err(error) => error.to_string(),
    };
    Some(file.complaint(&fault))
}
