//! One layer of settings, from the file, the environment or the options.
//!
//! Takes values with their declarations; merges layers, and gives the validated [`Config`]. Must not know what a
//! setting does.

use std::path::PathBuf;

use super::declaration::{Arity, Declaration, FileKey};
use super::declarations::by_key;
use super::given::{Content, Given, RefusedSetting, SettingOrigin};
use super::{Config, Error, Role, checks, kernel_path};

/// The lists that decide about sources.
const LISTS_OF_SOURCES: [FileKey; 2] = [("policy", "permitted"), ("policy", "denied")];

/// The anomaly alerts.
const ANOMALY_ALERTS: FileKey = ("anomaly", "alerts");
/// The names of the anomaly tests' options begin so. Such an option implies the alerts.
const ANOMALY_OPTIONS: &str = "anom";

/// The settings of one layer.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Each setting with its value. Of two for the same key, the later one counts.
    given: Vec<(&'static Declaration, Given)>,
    /// True if TrafficAlerted's port is served too, because its configuration was given.
    pub(super) serves_trafficalerted: bool,
    /// Notices for the log, each to be written once.
    pub(super) notices: Vec<String>,
    /// The configuration file that this layer was read from.
    pub(super) file: Option<PathBuf>,
}

impl Settings {
    /// An empty layer of TrafficAlerted's configuration.
    pub(super) fn of_trafficalerted() -> Self {
        Self { serves_trafficalerted: true, ..Self::default() }
    }

    /// Adds all values that this layer has for one setting. The last value counts; for a repeatable option all values
    /// count together. A blank value counts as not given.
    pub fn give(&mut self, declaration: &'static Declaration, mut all: Vec<Given>) -> Result<(), RefusedSetting> {
        let Role::Setting(access) = declaration.role else { return Ok(()) };
        self.note_blank_list(declaration, &all);
        if declaration.arity == Arity::Repeatable {
            all.retain(|given| !given.is_blank());
        }
        let Some(last) = all.pop().filter(|given| !given.is_blank()) else { return Ok(()) };
        let given = match all.first().map(|first| first.origin.clone()) {
            Some(origin) if declaration.arity == Arity::Repeatable => {
                all.push(last);
                Given { content: Content::List(all), origin }
            }
            _ => last,
        };
        (access.apply)(&mut Config::default(), &given)?;
        self.given.push((declaration, given));
        Ok(())
    }

    /// Notes a list of sources that a script left empty by mistake: without the list, all sources are permitted.
    fn note_blank_list(&mut self, declaration: &Declaration, all: &[Given]) {
        let is_list = declaration.keys.iter().any(|key| LISTS_OF_SOURCES.contains(key));
        let is_argument = |given: &&Given| {
            matches!(
                given.origin,
                SettingOrigin::Variable(_) | SettingOrigin::Option(_) | SettingOrigin::OptionWithValue(_)
            )
        };
        if let Some(given) = all.iter().filter(is_argument).find(|given| given.is_blank() && is_list) {
            self.notices.push(format!("{}: the value is empty, so it gives no list", given.origin));
        }
    }

    /// As [`Settings::give`], for the setting with this key.
    pub fn give_key(&mut self, key: FileKey, given: Given) -> Result<(), RefusedSetting> {
        by_key(key).map_or(Ok(()), |declaration| self.give(declaration, vec![given]))
    }

    /// This layer with `upper` laid over it: if both give a setting, `upper` decides.
    pub fn merge(mut self, upper: Self) -> Self {
        self.given.retain(|(declaration, _)| !declaration.keys.iter().all(|key| upper.gives(*key)));
        self.given.extend(upper.given);
        self.notices.extend(upper.notices);
        self.serves_trafficalerted |= upper.serves_trafficalerted;
        self.file = upper.file.or(self.file);
        self
    }

    /// All values, in the order in which they were given.
    pub(super) fn values(&self) -> impl Iterator<Item = &Given> {
        self.given.iter().map(|(_, given)| given)
    }

    /// The value that was given for a key.
    pub(super) fn value(&self, key: FileKey) -> Option<&Given> {
        self.given.iter().rfind(|(declaration, _)| declaration.keys.contains(&key)).map(|(_, given)| given)
    }

    /// True if a value was given for the key.
    pub(super) fn gives(&self, key: FileKey) -> bool {
        self.value(key).is_some()
    }

    /// True if the format of the event log was given.
    pub(crate) fn gives_event_format(&self) -> bool {
        self.gives(("events", "format"))
    }

    /// The place where a key was given: an option as typed, a variable, or a line of the file.
    pub(crate) fn place(&self, key: FileKey) -> String {
        self.value(key).map_or(&SettingOrigin::Default, |given| &given.origin).to_string()
    }

    /// The place of a key in a file or an environment variable.
    fn place_outside_arguments(&self, key: FileKey) -> Option<String> {
        let origin = &self.value(key)?.origin;
        matches!(origin, SettingOrigin::File { .. } | SettingOrigin::Variable(_)).then(|| origin.to_string())
    }

    /// The place of the receivers of alerts: their list, or the file with Slack's URL.
    pub(crate) fn place_of_receivers(&self) -> String {
        let keys = [("notify", "receivers"), ("notify", "slack_url_file"), ("notify", "slack_url")];
        self.place(keys.into_iter().find(|key| self.gives(*key)).unwrap_or(keys[0]))
    }

    /// This layer, with anomaly alerts on if it gives an option of the anomaly tests and does not switch the alerts
    /// off. Not for the layer of the file: a file may list all settings with their defaults.
    pub fn alerting_on_anomalies(mut self) -> Self {
        let is_test =
            |declaration: &Declaration| declaration.long.is_some_and(|name| name.starts_with(ANOMALY_OPTIONS));
        let test = self.given.iter().find(|(declaration, _)| is_test(declaration)).map(|(_, given)| given.clone());
        if let (Some(test), false, Some(alerts)) = (test, self.gives(ANOMALY_ALERTS), by_key(ANOMALY_ALERTS)) {
            let given = Given { content: Content::Bool(true), ..test };
            self.given.push((alerts, given));
        }
        self
    }

    /// As [`Settings::validate`], for a task that reads the capture files of its arguments.
    pub fn validate_for_files(self) -> Result<Config, Error> {
        let config = self.clone().validate()?;
        kernel_path::refuse_for_files(&self, &config)?;
        Ok(config)
    }

    /// The configuration: the defaults of the rooms under what was given, checked.
    pub fn validate(self) -> Result<Config, Error> {
        let mut config = Config::default();
        for (declaration, given) in &self.given {
            if let Role::Setting(access) = declaration.role {
                (access.apply)(&mut config, given)?;
            }
        }
        config.notices.splice(..0, self.notices.iter().cloned());
        config.file.clone_from(&self.file);
        config.filter_place = self.place_outside_arguments(("capture", "filter"));
        checks::complete(&self, &mut config)?;
        Ok(config)
    }
}
