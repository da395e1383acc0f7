//! The comparison of the running configuration with one that a reload has read.
//!
//! Takes two configurations; gives the settings that differ, and refuses those that only a start can take. Must not know
//! how a new value is put into force. The declarations drive it, so that no setting can be forgotten.

use super::declaration::FileKey;
use super::declarations::settings;
use super::{Config, Declaration, Error, Reload, Settings};

/// The bits of a configuration's hash: a metric has it exactly.
const HASH_BITS: u32 = 48;

/// The start and the factor of FNV-1a, a hash that stays the same from build to build.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_FACTOR: u64 = 0x0100_0000_01b3;

impl Config {
    /// The settings whose values differ in the configuration `read`, without budgets that follow the limit of memory.
    pub(crate) fn changes<'a>(&'a self, read: &'a Self) -> impl Iterator<Item = &'static Declaration> + 'a {
        let is_derived = |key: &FileKey| self.memory.derives(*key) && read.memory.derives(*key);
        let changed = settings().filter(move |declaration| !declaration.is_same(self, read));
        changed.filter(move |declaration| !declaration.keys.iter().all(is_derived))
    }

    /// True if all values are the same, those without a setting included.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        self.values() == other.values()
    }

    /// The values alone: no notices, and no places.
    pub(super) fn values(&self) -> Self {
        Self { notices: Vec::new(), filter_place: None, ..self.clone() }
    }

    /// The hash of all values in 48 bits. Secrets do not count.
    ///
    /// # Errors
    /// When the configuration cannot be written as YAML.
    pub(crate) fn hash(&self) -> Result<u64, Error> {
        let add = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_FACTOR);
        let hash = self.to_yaml()?.bytes().fold(FNV_START, add);
        Ok((hash ^ hash >> HASH_BITS) & ((1 << HASH_BITS) - 1))
    }

    /// Refuses the configuration `read` if it differs in a setting that only a start can take. Each one is named with
    /// its place in `settings`, from which `read` was made.
    ///
    /// # Errors
    /// The names of the settings and their places.
    pub(crate) fn refuse_restart(&self, read: &Self, settings: &Settings) -> Result<(), Error> {
        let mut refused = self.changes(read).filter(|declaration| declaration.reload == Reload::Restart);
        let Some(first) = refused.next() else {
            return self.refuse_unnamed(read);
        };
        let place = |declaration: &Declaration| {
            let key = declaration.keys.first().copied().unwrap_or_default();
            settings.gives(key).then(|| settings.place(key))
        };
        let others = refused.map(|declaration| {
            let place = place(declaration).unwrap_or_else(|| "no longer given".to_owned());
            format!(", and so does {} ({place})", declaration.key())
        });
        let others: String = others.collect();
        let name = first.key();
        Err(match place(first) {
            Some(place) => {
                Error::invalid(place, format!("a new value of {name} needs a restart of the program{others}"))
            }
            None => {
                Error::invalid(name, format!("it is no longer given, which needs a restart of the program{others}"))
            }
        })
    }

    /// Refuses a difference that no setting has.
    fn refuse_unnamed(&self, read: &Self) -> Result<(), Error> {
        // A budget that is given with the value that it had leaves less to the others, or more.
        match self.changes(read).next() {
            None if !self.is_as(read) && self.memory.derives_as(&read.memory) => {
                Err(Error::invalid("the configuration", "a change that has no name needs a restart"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{environment, file};

    fn read(text: &str) -> (Config, Settings) {
        let settings = file::parse(text, Path::new("t.yml")).unwrap();
        (settings.clone().validate().unwrap(), settings)
    }

    /// As in a service with this file, and with a state directory.
    fn read_in_service(text: &str) -> (Config, Settings) {
        let variables = [("STATE_DIRECTORY", "/var/lib/trafficmonitor"), ("SYSTEMD_EXEC_PID", "7")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let of_manager = environment::of_service_manager(&variables, 7).unwrap();
        let settings = of_manager.merge(file::parse(text, Path::new("t.yml")).unwrap());
        (settings.clone().validate().unwrap(), settings)
    }

    #[test]
    fn receivers_of_a_service_with_a_state_directory_come_and_go() {
        let without = read_in_service("bandwidth: {limit: 1M}");
        let with = read_in_service("notify: {receivers: [{name: team, type: webhook, url: 'http://127.0.0.1:9/'}]}");
        assert_eq!((without.0.notices.len(), with.0.notices.len()), (0, 0));
        assert_eq!(with.0.notify.state_dir, Some("/var/lib/trafficmonitor".into()));
        without.0.refuse_restart(&with.0, &with.1).unwrap();
        with.0.refuse_restart(&without.0, &without.1).unwrap();
    }

    fn refusal(before: &str, after: &str) -> String {
        let (after, settings) = read(after);
        read(before).0.refuse_restart(&after, &settings).unwrap_err().to_string()
    }

    #[test]
    fn settings_that_need_a_restart_are_named_with_their_places() {
        let before = "capture:\n  workers: 1\nhttp:\n  listen: [\":1\"]\n";
        assert_eq!(
            refusal(before, "capture:\n  workers: 2\nhttp:\n  listen: [\":1\"]\n"),
            "t.yml:2:12: a new value of capture.workers needs a restart of the program"
        );
        assert_eq!(
            refusal(before, "capture:\n  workers: 3\n"),
            "t.yml:2:12: a new value of capture.workers needs a restart of the program, and so does http.listen \
             (no longer given)"
        );
        assert_eq!(
            refusal(before, "capture:\n  workers: 1\n"),
            "http.listen: it is no longer given, which needs a restart of the program"
        );
    }

    #[test]
    fn lines_and_comments_are_no_change() {
        let (before, _) = read("policy:\n  permitted: [10.0.0.0/8]\n");
        let (after, settings) = read("# Two\n\npolicy:\n  permitted:\n    - 10.0.0.0/8\n");
        before.refuse_restart(&after, &settings).unwrap();
        assert_eq!(before.changes(&after).count(), 0);
        assert_eq!(before.hash().unwrap(), after.hash().unwrap());
    }

    #[test]
    fn hash_is_an_exact_metric_and_follows_every_value() {
        let hashes =
            ["", "log:\n  level: debug\n", "bandwidth:\n  limit: 5G\n"].map(|text| read(text).0.hash().unwrap());
        assert!(hashes.iter().all(|hash| *hash < 1 << HASH_BITS && *hash > 0));
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    }
}
