//! The environment → one layer of [`Settings`].

use std::ffi::OsString;

use super::nearest::nearest;
use super::option::{OptionDefinition, Origin, Role, Text};
use super::{ConfigError, Settings, Unavailable};

/// What all our variables begin with.
const PREFIX: &str = "TRAFFICMONITOR_";

/// Reads the variables that `definitions` name; a blank one counts as not there.
///
/// Other variables of our prefix are no error, as Kubernetes makes some (`TRAFFICMONITOR_SERVICE_HOST`), but one that is
/// nearly a known name is noticed.
///
/// # Errors
/// [`ConfigError::Invalid`] for a value that means nothing.
pub fn read(
    variables: &[(OsString, OsString)],
    definitions: impl Iterator<Item = &'static OptionDefinition> + Clone,
) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    for definition in definitions.clone() {
        if let Some(text) = text_of(variables, definition) {
            apply(&mut settings, definition, text)?;
        }
    }
    let names = variables.iter().filter_map(|(name, _)| name.to_str());
    settings.notices = names.filter_map(|name| misspelt(name, definitions.clone())).collect();
    Ok(settings)
}

/// The text of an option's variable.
#[must_use]
pub fn text_of(variables: &[(OsString, OsString)], definition: &OptionDefinition) -> Option<Text> {
    let name = definition.variable?;
    let (_, value) = variables.iter().find(|(given, _)| given == name)?;
    let text = Text { value: value.clone(), origin: Origin::Variable(name) };
    (!text.is_blank()).then_some(text)
}

fn apply(settings: &mut Settings, definition: &OptionDefinition, text: Text) -> Result<(), ConfigError> {
    match definition.role {
        Role::Setting(apply) => apply(settings, &[text]),
        Role::Reserved { .. } | Role::Command | Role::Replay => Ok(()),
    }
}

/// The variables of options that are not built yet, but for values that ask for what is done anyway.
pub fn unavailable(
    variables: &[(OsString, OsString)],
    definitions: impl Iterator<Item = &'static OptionDefinition>,
) -> Vec<Unavailable> {
    let asked_for = |definition: &'static OptionDefinition| {
        let Role::Reserved { accepted, meanwhile } = definition.role else { return None };
        let text = text_of(variables, definition)?;
        let is_done_anyway = accepted.iter().any(|accepted| text.value == *accepted);
        (!is_done_anyway).then(|| Unavailable { what: text.origin.to_string(), meanwhile })
    };
    definitions.filter_map(asked_for).collect()
}

/// Whether Kubernetes makes such a variable for a service that is named as this program is.
fn is_of_kubernetes(ours: &str) -> bool {
    let of_port = ours.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    ours == "PORT" || of_port || ours.starts_with("SERVICE_")
}

/// What to say of a variable that is not known but nearly has the name of one that works.
fn misspelt(name: &str, mut definitions: impl Iterator<Item = &'static OptionDefinition> + Clone) -> Option<String> {
    let ours = name.strip_prefix(PREFIX).filter(|ours| !is_of_kubernetes(ours))?;
    let working = definitions.clone().filter(|definition| !definition.is_reserved());
    let working = working.filter_map(|definition| definition.variable?.strip_prefix(PREFIX));
    if definitions.any(|definition| definition.variable == Some(name)) {
        return None;
    }
    let near = nearest(ours, working)?;
    Some(format!("{name} is not a known variable and has no effect; did you mean {PREFIX}{near}?"))
}

#[cfg(test)]
mod tests {
    use super::super::options::settings;
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        read(&variables, settings())
    }

    #[test]
    fn variables_fill_their_settings() {
        let settings = read_all(&[
            ("TRAFFICMONITOR_IFACE", "eth0,eth1"),
            ("TRAFFICMONITOR_PROMISC", "true"),
            ("TRAFFICMONITOR_PROM_HTTP", "localhost:9,[::1]:9"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        let config = settings.validate().unwrap();
        assert_eq!(config.capture.selection, crate::capture::Selection::Named(vec!["eth0".into(), "eth1".into()]));
        assert!(config.capture.promiscuous);
        assert_eq!(config.http.listen.len(), 2);
    }

    #[test]
    fn a_blank_variable_is_not_there() {
        assert_eq!(
            read_all(&[("TRAFFICMONITOR_FILTER", "  "), ("TRAFFICMONITOR_SNAPLEN", "")]).unwrap(),
            Settings::default()
        );
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = read_all(&[("TRAFFICMONITOR_SNAPLEN", "big")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TRAFFICMONITOR_SNAPLEN=big: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)"
        );
    }

    #[test]
    fn a_misspelt_variable_is_noticed_and_a_strange_one_is_not() {
        let settings = read_all(&[
            ("TRAFFICMONITOR_SNAPLNE", "1"),
            ("TRAFFICMONITOR_SERVICE_HOST", "10.0.0.1"),
            ("TRAFFICMONITOR_PORT_8888_TCP", "tcp://10.0.0.1:8888"),
            ("SNAPLEN", "1"),
        ])
        .unwrap();
        assert_eq!(settings.notices.len(), 1, "{:?}", settings.notices);
        assert!(settings.notices[0].contains("did you mean TRAFFICMONITOR_SNAPLEN?"), "{:?}", settings.notices);
    }
}
