//! Country and autonomous system of addresses, from local files in MaxMind's format. Takes the bytes of database files;
//! gives the records of addresses. Must not know where the files are from.

use std::collections::HashMap;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

use super::text::clean;

/// The most bytes of a country code and of an organisation.
const LONGEST_CODE: usize = 8;
const LONGEST_ORGANISATION: usize = 128;

/// A database in memory.
#[derive(Debug)]
pub(super) struct PlaceDatabase {
    reader: Reader<Vec<u8>>,
    bytes: usize,
}

impl PlaceDatabase {
    /// Reads a database.
    ///
    /// # Errors
    /// When the bytes are no database.
    pub(super) fn parse(file: Vec<u8>) -> Result<Self, MaxMindDbError> {
        let bytes = file.capacity();
        Ok(Self { reader: Reader::from_source(file)?, bytes })
    }

    /// The record of an address. A broken one counts as none.
    fn record<'a, T: Deserialize<'a>>(&'a self, address: IpAddr) -> Option<T> {
        self.reader.lookup(address).ok()?.decode().ok()?
    }
}

/// The records about an address, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PlaceRecord {
    pub country: Option<Box<str>>,
    pub asn: Option<u32>,
    pub organisation: Option<Box<str>>,
}

/// The fields of MaxMind, DB-IP and IPinfo that say the country.
#[derive(Deserialize)]
struct CountryRecord {
    country: Option<CountryField>,
    registered_country: Option<CountryField>,
    country_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CountryField {
    Object { iso_code: Option<String> },
    Text(String),
}

impl CountryField {
    fn code(self) -> Option<String> {
        match self {
            Self::Object { iso_code } => iso_code,
            Self::Text(code) => Some(code),
        }
    }
}

/// The fields of MaxMind, DB-IP and IPinfo that say the autonomous system.
#[derive(Deserialize)]
struct SystemRecord {
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
    asn: Option<String>,
    as_name: Option<String>,
    name: Option<String>,
}

/// The databases that are read, and the places of the addresses that were looked up last.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub countries: Option<PlaceDatabase>,
    pub systems: Option<PlaceDatabase>,
    known: HashMap<IpAddr, PlaceRecord>,
}

impl Places {
    /// Forgets all places: a database was replaced.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Forgets the places of addresses that `is_shown` refuses.
    pub(super) fn retain(&mut self, is_shown: impl Fn(&IpAddr) -> bool) {
        self.known.retain(|address, _| is_shown(address));
    }

    /// The place of an address, and true if it was looked up only now.
    pub(super) fn of(&mut self, address: IpAddr) -> (PlaceRecord, bool) {
        if let Some(place) = self.known.get(&address) {
            return (place.clone(), false);
        }
        let (asn, organisation) = self.systems.as_ref().map_or((None, None), |database| system(database, address));
        let country = self.countries.as_ref().and_then(|database| country(database, address));
        let place = PlaceRecord { country, asn, organisation };
        self.known.insert(address, place.clone());
        (place, true)
    }

    /// Memory in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let databases = [&self.countries, &self.systems].into_iter().flatten();
        databases.map(|database| database.bytes).sum::<usize>()
            + self.known.len() * (size_of::<(IpAddr, PlaceRecord)>() + LONGEST_ORGANISATION / 4)
    }
}

fn country(database: &PlaceDatabase, address: IpAddr) -> Option<Box<str>> {
    let CountryRecord { country, registered_country, country_code } = database.record(address)?;
    let code = country.and_then(CountryField::code).or(country_code);
    let code = code.or_else(|| registered_country.and_then(CountryField::code))?;
    clean(&code, LONGEST_CODE)
}

fn system(database: &PlaceDatabase, address: IpAddr) -> (Option<u32>, Option<Box<str>>) {
    let Some(record) = database.record::<SystemRecord>(address) else { return (None, None) };
    let written = || record.asn.as_deref()?.trim_start_matches("AS").parse().ok();
    let name = record.autonomous_system_organization.as_ref().or(record.as_name.as_ref()).or(record.name.as_ref());
    let organisation = name.and_then(|name| clean(name, LONGEST_ORGANISATION));
    (record.autonomous_system_number.or_else(written), organisation)
}
