//! Changes of the web configuration file and of the files that it names.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::common::exporter::wait_for;
use super::{Site, TLS, hash};

fn users(pairs: &[(&str, &str)]) -> String {
    let pairs: String = pairs.iter().map(|(user, password)| format!("  {user}: {}\n", hash(password))).collect();
    format!("basic_auth_users:\n{pairs}")
}

#[test]
fn changed_users_take_effect_without_a_restart() {
    let site = Site::new();
    let exporter = site.serve(&users(&[("alice", "a"), ("bob", "b")]));
    let status = |user: &str| site.curl(&exporter, "http", "/-/healthy", &["--user", user]).unwrap().0;
    assert_eq!((status("alice:a"), status("bob:b")), (200, 200));
    site.configure(&users(&[("alice", "new")]));
    wait_for("the new password", || (status("alice:new") == 200).then_some(()));
    assert_eq!((status("alice:a"), status("bob:b")), (401, 401));
}

#[test]
fn broken_file_changes_nothing_and_is_reported() {
    let site = Site::new();
    let mut exporter = site.serve(&users(&[("alice", "a")]));
    let page = || site.curl(&exporter, "http", "/metrics", &["--user", "alice:a"]).unwrap();
    let is_current = |value: u8| {
        let line = format!("\ntrafficmonitor_web_config_last_reload_successful {value}\n");
        wait_for("the state of the file", || page().1.contains(&line).then_some(()));
    };
    is_current(1);
    // Cut off in the middle, empty as while it is written, and gone.
    site.configure("basic_auth_users:\n  alice");
    is_current(0);
    site.configure(&users(&[("alice", "a")]));
    is_current(1);
    site.configure("");
    is_current(0);
    assert_eq!(site.curl(&exporter, "http", "/-/healthy", &[]).unwrap().0, 401);
    site.configure(&users(&[("alice", "a")]));
    is_current(1);
    fs::remove_file(site.path("web.yml")).unwrap();
    is_current(0);
    assert_eq!(page().0, 200);
    exporter.line_with("basic_auth_users is gone; restart the program to serve without it");
}

#[test]
fn renewed_certificate_is_served_to_new_connections() {
    let site = Site::new();
    let exporter = site.serve(TLS);
    let resolve = format!("renewed.example:{}:127.0.0.1", exporter.address().port());
    let url = format!("https://renewed.example:{}/-/healthy", exporter.address().port());
    let is_served = || {
        let mut command = std::process::Command::new("curl");
        command.args(["--silent", "--max-time", "60", "--cacert", "ca.crt", "--resolve", &resolve, &url]);
        command.current_dir(site.folder.path()).output().unwrap().status.success()
    };
    assert!(!is_served(), "the certificate is for another name");
    site.sign("server", "renewed.example");
    wait_for("the new certificate", || is_served().then_some(()));
}

#[test]
fn warning_is_logged_at_the_start_and_again_only_when_it_is_new() {
    let site = Site::new();
    let mut exporter = site.serve(TLS);
    let allow = |mode| fs::set_permissions(site.path("server.key"), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o604);
    exporter.line_with("every user of this host can read the private key");
    site.configure(&format!("{TLS}rate_limit: {{interval: 1ms, burst: 1000}}\n"));
    exporter.line_with("the web configuration has changed and is in force");
    exporter.line_with("every user of this host can read the private key");
    allow(0o600);
    site.configure(&format!("{TLS}rate_limit: {{interval: 2ms, burst: 1000}}\n"));
    exporter.line_with("the web configuration has changed and is in force");
    exporter.signal("TERM");
    let (_, said) = exporter.ended();
    assert_eq!(said.matches("can read the private key").count(), 2, "{said}");
}
