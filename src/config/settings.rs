//! A setting of one layer of the configuration: it may be there or not, and knows where it was given.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_saphyr::Spanned;

use super::ConfigError;
use super::option::{Origin, Text};
pub use super::sections::{CaptureSettings, ExportSettings, LocalitySettings, LogSettings, Settings};
use super::value::{List, Node, Value, Written};

/// A setting of one layer: not given, or a value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T>(Option<(T, Origin)>);

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Setting<T> {
    /// The value, where one was given.
    pub fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|(value, _)| value)
    }

    /// Where the value was given.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.as_ref().map(|(_, origin)| origin)
    }

    /// The setting of `upper` where it has one, else this.
    #[must_use]
    pub(super) fn under(self, upper: Self) -> Self {
        Self(upper.0.or(self.0))
    }

    /// As [`Setting::value`], taken out.
    pub(super) fn into_value(self) -> Option<T> {
        self.0.map(|(value, _)| value)
    }

    pub(super) fn of(value: T) -> Self {
        Self::of_some(Some(value))
    }

    pub(super) fn of_some(value: Option<T>) -> Self {
        Self(value.map(|value| (value, Origin::Default)))
    }
}

impl<T: Value> Setting<T> {
    /// Sets the value that the last of `texts` says; a blank text means not given, and leaves what is there.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a text that is no such value.
    pub fn set(&mut self, texts: &[Text]) -> Result<(), ConfigError> {
        if let Some(text) = texts.last().filter(|text| !text.is_blank()) {
            self.0 = Some((text.read()?, text.origin.clone()));
        }
        Ok(())
    }
}

impl<T: Value> Setting<List<T>> {
    /// Sets the values of all `texts` together, blank ones aside.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a text that is no such list.
    pub fn collect(&mut self, texts: &[Text]) -> Result<(), ConfigError> {
        let mut all = Self::default();
        for text in texts.iter().filter(|text| !text.is_blank()) {
            let List(more) = text.read()?;
            let (list, _) = all.0.get_or_insert_with(|| (List(Vec::new()), text.origin.clone()));
            list.0.extend(more);
        }
        *self = all;
        Ok(())
    }
}

impl<'de, T: Value> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Node(value), referenced, .. } = Spanned::<Node<T>>::deserialize(deserializer)?;
        let origin = Origin::File { line: referenced.line(), column: referenced.column() };
        Ok(Self(value.map(|value| (value, origin))))
    }
}

impl<T: Value> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value() {
            Some(value) => Written(value).serialize(serializer),
            None => serializer.serialize_none(),
        }
    }
}

impl Settings {
    /// Where `setting` was given, in words: an option as typed, a variable, or a line of the file.
    #[must_use]
    pub fn place<T>(&self, setting: &Setting<T>) -> String {
        match (setting.origin(), &self.path) {
            (Some(Origin::File { line, column }), Some(path)) => format!("{}:{line}:{column}", path.display()),
            (Some(origin), _) => origin.to_string(),
            (None, _) => Origin::Default.to_string(),
        }
    }

    /// This layer, in which anomalies raise alerts if it has one of their tests' settings and does not say otherwise: who gives
    /// such an option wants to hear of anomalies. In the file, where all settings may stand with their defaults, they do not.
    #[must_use]
    pub fn alerting_on_anomalies(mut self) -> Self {
        if self.anomaly.alerts.origin().is_none() {
            self.anomaly.alerts = Setting(self.origin_of_anomaly_test().map(|origin| (true, origin.clone())));
        }
        self
    }

    /// Where the first of the options `-anom_…` and `--anom.…` was given.
    fn origin_of_anomaly_test(&self) -> Option<&Origin> {
        let of = &self.anomaly;
        let origins = [
            of.methods.origin(),
            of.active_size.origin(),
            of.seasons.origin(),
            of.capacity.origin(),
            of.lower_bound.origin(),
            of.upper_bound.origin(),
            of.sensitivity.origin(),
            of.threshold.origin(),
            of.min_bytes.origin(),
        ];
        origins.into_iter().flatten().next()
    }
}
