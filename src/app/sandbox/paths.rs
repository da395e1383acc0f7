//! The files that stay in reach. Takes the configuration; gives the paths to read and those to write below. Must not know
//! how others are refused.
//!
//! A file may be replaced by a new one with its name, by an editor or a renewal of certificates, and only its directory
//! tells that the new one is meant. So the directory of each file is in reach, with all below it.

use std::env;
use std::path::{Path, PathBuf, absolute};

use crate::config::{Config, web_file};
use crate::http::access::WebFile;
use crate::notify::{ReceiverConfig, SecretSource};

/// Paths that the program and its libraries read on every system: tables of the kernel, settings of name resolution,
/// libraries that resolve names, certificate authorities and lists of vendors. Files in `/etc` are often replaced, so
/// that all of it is in reach, as far as this user may read it.
const SYSTEM: [&str; 12] = [
    "/proc",
    "/sys",
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/var/lib/ieee-data",
    "/var/lib/ca-certificates",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/dev/urandom",
];
/// Devices that are opened to write.
const DEVICES: [&str; 1] = ["/dev/null"];
/// The variables with places of certificate authorities.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The files that the configuration names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NamedFiles {
    /// They are read, at the start or later.
    pub(super) read: Vec<PathBuf>,
    /// Files are made and written in these directories.
    pub(super) directories: Vec<PathBuf>,
    /// The event log.
    pub(super) log: Option<PathBuf>,
}

impl NamedFiles {
    pub(super) fn of(config: &Config) -> Self {
        let mut read: Vec<PathBuf> = [&config.file, &config.http.web_config_file, &config.slack.url_file]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        read.extend(config.source.clone().filter(|source| source != Path::new("-")));
        read.extend(config.http.web_config_file.iter().flat_map(|path| of_web_file(path)));
        read.extend(config.notify.receivers.iter().flat_map(of_receiver));
        let names = &config.names;
        let single = [&names.hosts_file, &names.oui_file, &names.country_file, &names.asn_file];
        read.extend(names.lease_files.iter().chain(single.into_iter().flatten()).cloned());
        let evidence = &config.evidence;
        let of_log = evidence.packet_log.dir.as_ref().filter(|_| evidence.packet_log.is_on);
        let directories = [config.notify.state_dir.as_ref(), evidence.archive_dir.as_ref(), of_log];
        Self {
            read,
            directories: directories.into_iter().flatten().cloned().collect(),
            log: config.events.file.clone(),
        }
    }

    /// The paths below which files stay in reach to read.
    pub(super) fn readable(&self) -> Vec<PathBuf> {
        let authorities = AUTHORITIES.iter().filter_map(env::var_os);
        let authorities = authorities.flat_map(|places| env::split_paths(&places).collect::<Vec<_>>());
        let system = SYSTEM.iter().map(PathBuf::from).chain(authorities);
        // The resolver's file is mostly a link to one that another program writes.
        let resolver = around(Path::new("/etc/resolv.conf"));
        system.chain(resolver).chain(self.read.iter().flat_map(|path| around(path))).collect()
    }

    /// The directories of the event log, by its name and by the file that a link leads to; none if it is a pipe or a
    /// device.
    pub(super) fn directories_of_log(&self) -> Vec<PathBuf> {
        let paths = self.log.iter().flat_map(|path| log_and_rotated(path));
        paths.filter(|path| path.is_dir()).collect()
    }

    /// The paths below which files stay in reach to write.
    pub(super) fn writable(&self) -> Vec<PathBuf> {
        let log = self.log.iter().flat_map(|path| log_and_rotated(path));
        DEVICES.iter().map(PathBuf::from).chain(self.directories.iter().cloned()).chain(log).collect()
    }
}

/// The files that a web configuration file names. A file with a fault names none: the start is refused for it.
fn of_web_file(path: &Path) -> Vec<PathBuf> {
    WebFile { path: path.to_owned(), parse: web_file::parse }.named_files()
}

fn of_receiver(receiver: &ReceiverConfig) -> Vec<PathBuf> {
    let secrets = receiver.url.iter().chain(receiver.vendor.key()).chain(receiver.headers.values());
    let of_secret = |secret: &SecretSource| match secret {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Given(_) | SecretSource::Variable(_) => None,
    };
    secrets.filter_map(of_secret).chain(receiver.ca_file.clone()).collect()
}

/// The directories of a file, by its name and by the file that a link leads to. In the root directory it is the file
/// alone.
fn around(path: &Path) -> Vec<PathBuf> {
    let named = absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut paths = vec![named.clone()];
    paths.extend(named.canonicalize().ok().filter(|real| *real != named));
    paths.iter().map(|path| directory_of(path)).collect()
}

/// The nearest directory above a path that exists; the path itself below the root directory.
fn directory_of(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).filter(|above| above.parent().is_some());
    above.into_iter().find(|above| above.is_dir()).unwrap_or(path).to_owned()
}

/// The directory of the event log, because it is rotated there; a pipe or a device alone.
fn log_and_rotated(path: &Path) -> Vec<PathBuf> {
    let is_stream = path.metadata().is_ok_and(|metadata| !metadata.is_file());
    if is_stream { vec![path.to_owned()] } else { around(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SlackHook;

    #[test]
    fn directory_of_a_file_and_of_the_file_behind_a_link_are_in_reach() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [real, link] = [folders[0].path().join("real.yml"), folders[1].path().join("link.yml")];
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(around(&link), [folders[1].path(), folders[0].path()]);
        assert_eq!(around(&real), [folders[0].path()]);
        let later = folders[0].path().join("not/yet/there.leases");
        assert_eq!(around(&later), [folders[0].path()]);
        assert_eq!(around(Path::new("/no-such-file")), [Path::new("/no-such-file")]);
    }

    #[test]
    fn pipe_is_in_reach_alone_and_a_log_with_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(log_and_rotated(&folder.path().join("events.json")), [folder.path()]);
        assert_eq!(log_and_rotated(Path::new("/dev/null")), [Path::new("/dev/null")]);
    }

    #[test]
    fn files_of_all_settings_are_named() {
        let mut config = Config { file: Some("a.yml".into()), source: Some("-".into()), ..Config::default() };
        config.slack = SlackHook { url_file: Some("slack".into()), ..SlackHook::default() };
        config.names.lease_files = vec!["leases".into()];
        config.names.hosts_file = Some("hosts".into());
        config.events.file = Some("events".into());
        config.evidence.archive_dir = Some("archive".into());
        config.evidence.packet_log.dir = Some("log".into());
        let named = NamedFiles::of(&config);
        assert_eq!(named.read, ["a.yml", "slack", "leases", "hosts"].map(PathBuf::from));
        assert_eq!(named.directories, [PathBuf::from("archive")], "packets are not logged");
        assert_eq!(named.log, Some("events".into()));
    }
}
