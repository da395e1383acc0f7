//! The layer of [`Settings`] of the environment.
//!
//! Takes all variables and the declarations; gives the settings, and notices about misspelt names. Must not know what a
//! setting does.

use std::ffi::{OsStr, OsString};

use super::declaration::Declaration;
use super::given::{Given, SettingOrigin};
use super::nearest::nearest;
use super::{Error, Settings};

/// The beginning of all our variables.
const PREFIX: &str = "TRAFFICMONITOR_";
/// The directories that systemd made for the service (`StateDirectory=`), with `:` between them.
pub const STATE_DIRECTORY: &str = "STATE_DIRECTORY";
/// The process that systemd started. A process below it inherits the variables, but the directories are not its own.
const STARTED_PROCESS: &str = "SYSTEMD_EXEC_PID";

/// Reads the variables that `declarations` name; a blank one counts as not set.
///
/// Other variables with our prefix are not errors, because Kubernetes makes some (`TRAFFICMONITOR_SERVICE_HOST`). A
/// name that is close to a known one gives a notice.
pub fn read(
    variables: &[(OsString, OsString)],
    declarations: impl Iterator<Item = &'static Declaration> + Clone,
) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    for declaration in declarations.clone() {
        settings.give(declaration, given_of(variables, declaration).into_iter().collect())?;
    }
    let names = variables.iter().filter_map(|(name, _)| name.to_str());
    settings.notices.extend(names.filter_map(|name| misspelt(name, declarations.clone())));
    Ok(settings)
}

/// The layer below all others: what systemd provides for the process with this number, if it started that process. The
/// first state directory is that of undelivered alerts.
pub fn of_service_manager(variables: &[(OsString, OsString)], process: u32) -> Result<Settings, Error> {
    let value = |name: &str| variables.iter().find(|(given, _)| given == name)?.1.to_str();
    let mut settings = Settings::default();
    let is_started = value(STARTED_PROCESS).is_some_and(|started| started == process.to_string());
    let first = value(STATE_DIRECTORY).and_then(|list| list.split(':').next());
    if let Some(directory) = first.filter(|directory| is_started && directory.starts_with('/')) {
        let given = Given::argument(OsStr::new(directory), SettingOrigin::Variable(STATE_DIRECTORY));
        settings.give_key(("state", "dir"), given)?;
    }
    Ok(settings)
}

/// The value of an option's variable, unless it is blank.
pub fn value_of(variables: &[(OsString, OsString)], declaration: &Declaration) -> Option<Given> {
    given_of(variables, declaration).filter(|given| !given.is_blank())
}

fn given_of(variables: &[(OsString, OsString)], declaration: &Declaration) -> Option<Given> {
    let name = declaration.variable?;
    let (_, value) = variables.iter().find(|(given, _)| given == name)?;
    Some(Given::argument(value, SettingOrigin::Variable(name)))
}

/// True if Kubernetes makes such a variable for a service with the name of this program.
fn is_of_kubernetes(ours: &str) -> bool {
    let of_port = ours.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    ours == "PORT" || of_port || ours.starts_with("SERVICE_")
}

/// The notice about a variable that is not known but has nearly the name of a known one.
fn misspelt(name: &str, mut declarations: impl Iterator<Item = &'static Declaration> + Clone) -> Option<String> {
    let ours = name.strip_prefix(PREFIX).filter(|ours| !is_of_kubernetes(ours))?;
    let working = declarations.clone().filter_map(|declaration| declaration.variable?.strip_prefix(PREFIX));
    if declarations.any(|declaration| declaration.variable == Some(name)) {
        return None;
    }
    let near = nearest(ours, working)?;
    Some(format!("{name} is not a known variable and has no effect; did you mean {PREFIX}{near}?"))
}

#[cfg(test)]
mod tests {
    use super::super::declarations::settings;
    use super::super::{Config, Role};
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Settings, Error> {
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
        let settings = read_all(&[("TRAFFICMONITOR_FILTER", "  "), ("TRAFFICMONITOR_SNAPLEN", "")]).unwrap();
        assert!(!settings.gives(("capture", "filter")) && !settings.gives(("capture", "snap_length")));
    }

    #[test]
    fn a_blank_list_of_sources_is_noted() {
        let settings = read_all(&[("TRAFFICMONITOR_POLICY_PERMITTED", " ")]).unwrap();
        assert_eq!(settings.notices, ["TRAFFICMONITOR_POLICY_PERMITTED: the value is empty, so it gives no list"]);
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = read_all(&[("TRAFFICMONITOR_SNAPLEN", "big")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TRAFFICMONITOR_SNAPLEN=big: expected a number from 0 to 65535 (0, 65536 and 262144 mean 65535)"
        );
    }

    fn state_directory(variables: &[(&str, &str)]) -> Option<std::path::PathBuf> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut config = Config::default();
        if let Some(given) = of_service_manager(&variables, 7).unwrap().value(("state", "dir")) {
            let Role::Setting(access) = super::super::declarations::by_key(("state", "dir")).unwrap().role else {
                panic!()
            };
            (access.apply)(&mut config, given).unwrap();
        }
        config.notify.state_dir
    }

    #[test]
    fn first_state_directory_of_the_service_is_the_default() {
        let lists = ["/var/lib/trafficmonitor", "/var/lib/trafficmonitor:/var/lib/trafficmonitor/evidence"];
        for list in lists {
            let given = state_directory(&[("STATE_DIRECTORY", list), ("SYSTEMD_EXEC_PID", "7")]);
            assert_eq!(given, Some("/var/lib/trafficmonitor".into()), "{list}");
        }
    }

    #[test]
    fn state_directory_of_another_process_or_no_directory_is_left_alone() {
        assert_eq!(state_directory(&[("STATE_DIRECTORY", "/var/lib/other")]), None);
        assert_eq!(state_directory(&[("STATE_DIRECTORY", "/var/lib/other"), ("SYSTEMD_EXEC_PID", "8")]), None);
        assert_eq!(state_directory(&[("SYSTEMD_EXEC_PID", "7")]), None);
        for nonsense in ["", ":", "relative", ":/var/lib/other"] {
            assert_eq!(
                state_directory(&[("STATE_DIRECTORY", nonsense), ("SYSTEMD_EXEC_PID", "7")]),
                None,
                "{nonsense}"
            );
        }
    }

    #[test]
    fn a_misspelt_variable_is_noticed_and_an_unknown_one_is_not() {
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
