//! Receivers of alerts and packets of alerts on the command line: examples, files and directories, and secrets, which no
//! output contains.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// Every secret of these tests contains it.
const CANARY: &str = "c4n4ry";

/// The blocks of YAML in a document.
fn yaml_blocks(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// A file with a secret, as its owner keeps it.
fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn examples_of_receivers_are_valid_and_print_themselves() {
    let blocks = yaml_blocks("docs/notifications.md");
    assert!(blocks.len() >= 7, "{}", blocks.len());
    for vendor in ["alertmanager", "slack", "pagerduty", "opsgenie", "webhook"] {
        assert!(blocks.iter().any(|block| block.contains(&format!("type: {vendor}\n"))), "{vendor}");
    }
    let folder = folder();
    for block in blocks {
        fs::write(folder.path().join("example.yml"), &block).unwrap();
        let ended = run_in(folder.path(), ["-c", "example.yml", "--config.check"]);
        // The files and variables of the example may be missing here, and nothing else is said.
        let is_about_files = |line: &str| {
            line.contains("receiver ") && line.contains("secret is not set")
                || line.contains("No such file or directory")
                || line.contains("no such directory")
        };
        let is_right = ended.status == Some(0) && ended.output == "configuration OK\n" && ended.messages.is_empty();
        let only_lacks_files = ended.status == Some(2) && ended.messages.lines().all(is_about_files);
        assert!(is_right || only_lacks_files, "{block}\n{ended:?}");
        let printed = done(run_in(folder.path(), ["-c", "example.yml", "config"]));
        let has_hidden = printed.contains("<secret>");
        assert_eq!(has_hidden, block.contains(" headers:"), "{printed}");
        if !has_hidden {
            fs::write(folder.path().join("printed.yml"), &printed).unwrap();
            assert_eq!(done(run_in(folder.path(), ["-c", "printed.yml", "config"])), printed);
        }
    }
}

#[test]
fn slack_options_define_a_receiver_with_the_older_programs_defaults() {
    let folder = folder();
    write_secret(&folder.path().join("hook"), "https://hooks.slack.com/services/x\n");
    let line = "-slack_url_file hook -slack_channel #net --config.check";
    assert_eq!(done(run_in(folder.path(), line.split_whitespace())), "configuration OK\n");
    let mut command = program(["-slack_url_file", "hook", "--config.check"]);
    let command = command.current_dir(folder.path()).env("TRAFFICMONITOR_SLACK_URL", "https://x/");
    is_refused(
        &command.output().unwrap().into(),
        &["-slack_url_file: TRAFFICMONITOR_SLACK_URL also gives the URL; give only one"],
    );
    let printed = done(run("config"));
    for line in ["slack_url: nil", "slack_channel: \"#wherefore\"", "receivers: []"] {
        assert!(printed.lines().any(|printed| printed.trim() == line), "{line}: {printed}");
    }
}

/// Refused in one line with status 2, before anything is served. `--config.check` says the same.
fn is_refused_at_start(folder: &Path, line: &str, words: &str) {
    let serve = format!("-r mix.pcap -promHTTP 127.0.0.1:0 {line}");
    let ended = run_in(folder, serve.split_whitespace());
    assert_eq!(ended.status, Some(2), "{line}: {ended:?}");
    let last = ended.messages.lines().last().unwrap();
    let (_, message) = last.split_once("trafficmonitor: ").unwrap_or_else(|| panic!("{ended:?}"));
    assert!(message.contains(words), "no {words:?}: {ended:?}");
    assert!(!ended.messages.contains("trafficmonitor starts"), "{ended:?}");
    let checked = checked_without_a_trace(folder, line);
    assert_eq!((checked.status, checked.output.as_str()), (Some(2), ""), "{line}: {checked:?}");
    assert_eq!(checked.messages.lines().last(), Some(&*format!("trafficmonitor: {message}")), "{line}: {checked:?}");
}

/// The check of a command line, which makes and changes no file.
fn checked_without_a_trace(folder: &Path, line: &str) -> Ended {
    let files = || {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect::<BTreeMap<_, _>>()
    };
    let before = files();
    let ended = run_in(folder, format!("{line} --config.check").split_whitespace());
    assert_eq!(files(), before, "{line}");
    ended
}

#[test]
fn check_makes_and_changes_no_file() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("torn.jsonl"), "{\"event\":1}\n{\"ev").unwrap();
    fs::write(path("torn.json"), "[\n{\"a\":1},\n{\"a").unwrap();
    fs::write(path("empty.csv"), "").unwrap();
    write_secret(&path("hook"), "https://hooks.example/x");
    for log in ["new.jsonl", "new.json", "torn.jsonl", "torn.json", "empty.csv", "/dev/null"] {
        let format = if log.ends_with(".json") { "json" } else { "jsonl" };
        let format = if log.ends_with(".csv") { "csv" } else { format };
        let line = format!("--log-file {log} --log-format {format} -archive_dir . --state.dir . -slack_url_file hook");
        assert_eq!(done(checked_without_a_trace(folder.path(), &line)), "configuration OK\n", "{line}");
    }
}

#[test]
fn check_names_what_another_process_has_locked_and_locks_nothing() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("events.json"), "[\n]\n").unwrap();
    fs::create_dir(path("notify")).unwrap();
    write_secret(&path("hook"), "https://hooks.example/x");
    let line = "--log-file events.json --log-format json --state.dir . -slack_url_file hook";
    let messages = || {
        let ended = checked_without_a_trace(folder.path(), line);
        assert_eq!((ended.status, ended.output.as_str()), (Some(0), "configuration OK\n"), "{ended:?}");
        ended.messages
    };
    let locked = ["events.json", "notify"].map(|name| {
        let file = fs::File::open(path(name)).unwrap();
        file.try_lock().unwrap();
        file
    });
    assert_eq!(
        messages(),
        "events.json: another process uses it; a start would be refused now\n\
         .: another process uses it; a start would be refused now\n"
    );
    drop(locked);
    assert_eq!(messages(), "");
}

#[test]
fn check_refuses_a_journal_of_another_version() {
    let folder = folder();
    fs::create_dir(folder.path().join("notify")).unwrap();
    fs::write(folder.path().join("notify/journal"), b"tmnotify\xff\xff\xff\xff").unwrap();
    write_secret(&folder.path().join("hook"), "https://hooks.example/x");
    let ended = checked_without_a_trace(folder.path(), "--state.dir . -slack_url_file hook");
    assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""), "as at the start: {ended:?}");
    assert!(ended.messages.contains("journal: written by another version of this program"), "{ended:?}");
}

#[test]
fn files_and_directories_that_cannot_be_used_are_refused_at_start() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("open"), "https://hooks.example/x").unwrap();
    fs::set_permissions(path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    write_secret(&path("malformed"), "hooks.example/x");
    write_secret(&path("empty"), "\n");
    write_secret(&path("file"), "https://hooks.example/x");
    for (line, words) in [
        ("-archive_dir none", "none: no such directory; create it with `mkdir -p -m 700 none`"),
        ("-archive_dir mix.pcap", "mix.pcap: not a directory"),
        ("--state.dir none/below", "none/below: no such directory"),
        ("-archive_dir . -log_packets -l none", "none: no such directory"),
        ("--log-file none/events --log-format jsonl", "none/events: cannot open the event log: No such file"),
        (
            "--log-file mix.pcap/events --log-format jsonl",
            "mix.pcap/events: cannot open the event log: Not a directory",
        ),
        ("--log-file . --log-format jsonl", ".: cannot open the event log: it is a directory; name a file"),
        ("--log-file /dev/null --log-format json", "/dev/null: cannot open the event log: the format json rewrites"),
        (
            "--log-file mix.pcap --log-format csv",
            "mix.pcap: cannot open the event log: its first line has other columns",
        ),
        ("--log-file mix.pcap --log-format json", "mix.pcap: cannot open the event log: it is not a JSON array"),
        ("-slack_url_file none", "receiver slack: none: cannot read the file with the secret: No such file"),
        ("-slack_url_file .", "receiver slack: .: not a file"),
        (
            "-slack_url_file open",
            "receiver slack: open: other users can read or change this file with a secret; run `chmod o-rw open`",
        ),
        ("-slack_url_file malformed", "receiver slack: malformed: the URL has no scheme; put https://"),
        ("-slack_url_file empty", "receiver slack: empty: expected one line with the secret"),
    ] {
        is_refused_at_start(folder.path(), line, words);
    }
    for (entry, words) in [
        (
            "type: pagerduty, routing_key_env: NO_SUCH_KEY",
            "receiver a: NO_SUCH_KEY: the environment variable with the secret is not set",
        ),
        ("type: opsgenie, api_key_file: open", "receiver a: open: other users can read"),
        (
            "type: webhook, url_file: file, header_files: {Authorization: none}",
            "receiver a: none: cannot read the file",
        ),
        (
            "type: webhook, url_file: file, ca_file: none",
            "receiver a: none: cannot read the certificate authorities: No such",
        ),
        ("type: webhook, url_file: file, ca_file: file", "receiver a: file: no certificate in this file"),
    ] {
        fs::write(path("a.yml"), format!("notify: {{receivers: [{{name: a, {entry}}}]}}\n")).unwrap();
        is_refused_at_start(folder.path(), "-c a.yml", words);
    }
}

#[test]
fn settings_of_delivery_without_an_effect_are_noticed() {
    let folder = folder();
    let critical = "notify: {receivers: [{name: a, type: webhook, url: \"http://127.0.0.1:1\", severity: critical}]}\n";
    fs::write(folder.path().join("a.yml"), critical).unwrap();
    let outside = "severity: warning, kinds: [host_scan], networks: [8.8.8.0/24]";
    fs::write(folder.path().join("b.yml"), critical.replace("severity: critical", outside)).unwrap();
    for (line, notice) in [
        ("-l .", "-l: no effect without -log_packets"),
        (
            "--evidence.ring 8MiB",
            "--evidence.ring: packets are kept in memory, but written to no file; give -archive_dir",
        ),
        (
            "-c a.yml",
            "a.yml:1:21: the receiver a gets no alert: none that is detected has its kinds and severity critical or above; \
             change its kinds or severity, or --alert.severity",
        ),
        (
            "-c b.yml",
            "b.yml:1:21: the receiver a gets no alert, except about addresses of this host: none about its networks has \
             its kinds and severity warning or above; change its networks or severity, or -localNetworks or \
             --alert.severity",
        ),
        ("--state.dir .", "--state.dir: no effect without receivers of alerts"),
    ] {
        let ended = run_in(folder.path(), format!("{line} --config.check").split_whitespace());
        assert_eq!((ended.status, ended.messages.trim_end()), (Some(0), notice), "{line}");
    }
    let line = "-r missing.pcap --config.check";
    let ended = run_in(folder.path(), line.split_whitespace());
    let message = "trafficmonitor: cannot open missing.pcap: No such file or directory (os error 2)\n";
    assert_eq!((ended.status, ended.messages.as_str()), (Some(1), message), "as at the start");
    let line = "-c b.yml -localNetworks 8.0.0.0/8 --config.check";
    assert_eq!(done(run_in(folder.path(), line.split_whitespace())), "configuration OK\n");
    let line = "-c a.yml --alert.severity bandwidth=critical --config.check";
    assert_eq!(done(run_in(folder.path(), line.split_whitespace())), "configuration OK\n");
}

/// Nothing that was written contains the canary.
fn keeps_the_secret(what: &str, ended: &Ended) {
    let Ended { output, messages, .. } = ended;
    assert!(!output.contains(CANARY) && !messages.contains(CANARY), "{what}: {ended:?}");
    assert!(!output.is_empty() || !messages.is_empty(), "{what}: nothing was written");
}

#[test]
fn no_secret_is_in_an_output_or_a_message() {
    let folder = folder();
    let good = format!("https://hooks.example/{CANARY}");
    let bad = [
        format!("file:///{CANARY}"),
        format!("hooks.example/{CANARY}"),
        format!("https://{CANARY}:x@hooks.example/"),
        format!("https://hooks.example/{CANARY}#x"),
        format!("https://hooks.example/{CANARY} x"),
        format!("https://hooks.example:{CANARY}/"),
    ];
    for url in std::iter::once(&good).chain(&bad) {
        for task in ["config", "--config.check"] {
            for line in [format!("-slack_url={url}"), format!("--slack_url={url}")] {
                keeps_the_secret(&line, &run_in(folder.path(), [line.as_str(), task]));
            }
            keeps_the_secret(url, &run_in(folder.path(), ["-slack_url", url, task]));
            let mut command = program([task]);
            let ended = command.env("TRAFFICMONITOR_SLACK_URL", url).output().unwrap().into();
            keeps_the_secret(url, &ended);
        }
    }
    for yaml in [
        format!("notify: {{slack_url: \"{good}\"}}"),
        format!("notify: {{slack_url: {good}}}\nnotify: {{}}"),
        format!("notify:\n  slack_url: {CANARY}"),
        format!("notify:\n  slack_url:{CANARY}"),
        format!("notify:\n  slack_url {CANARY}"),
        format!("notify:\n  slack_url: '{good}' x"),
        format!("notify:\n  slack_url: a: {CANARY}"),
        format!("notify:\n  slack_url: *{CANARY}"),
        format!("notify:\n  slack_url: !{CANARY}"),
        format!("notify:\n  slack_url: [{CANARY}]"),
        format!("notify:\n  slack_url: {{{CANARY}: x}}"),
    ] {
        checks_yaml(folder.path(), &yaml);
    }
    for entry in [
        format!("type: webhook, url: \"{good}\""),
        format!("type: webhook, url: \"{CANARY}\""),
        format!("type: webhook, url:{good}"),
        format!("type: webhook, url: &{CANARY}"),
        format!("type: webhook, url: {{{CANARY}: x}}"),
        format!("type: alertmanager, url: \"{good}?x\""),
        format!("type: pagerduty, routing_key: {CANARY}"),
        format!("type: pagerduty, routing_key:{CANARY}"),
        format!("type: pagerduty, routing_key: [{CANARY}]"),
        format!("type: pagerduty, routing_key: \"{CANARY}\\n{CANARY}\""),
        format!("type: slack, routing_key: {CANARY}, url: \"http://x\""),
        format!("type: opsgenie, api_key: {CANARY}"),
        format!("type: opsgenie, api_key: {CANARY}, api_key_file: x"),
        format!("type: opsgenie, api_key: *{CANARY}"),
        format!("type: webhook, url: \"http://x\", headers: {{Authorization: Bearer {CANARY}}}"),
        format!("type: webhook, url: \"http://x\", headers: {{Authorization: [{CANARY}]}}"),
        format!("type: webhook, url: \"http://x\", headers: {CANARY}"),
        format!("type: webhook, url: \"http://x\", headers: {{Host: {CANARY}}}"),
    ] {
        checks_yaml(folder.path(), &format!("notify: {{receivers: [{{name: a, {entry}}}]}}"));
        let lines = entry.replace(", ", "\n      ");
        checks_yaml(folder.path(), &format!("notify:\n  receivers:\n    - name: a\n      {lines}\n"));
    }
    let of_webhook = "notify:\n  receivers:\n    - name: a\n      type: webhook\n      url: http://x\n";
    for header in [
        format!("authorization: Bearer {CANARY}: x"),
        format!("token: *{CANARY}"),
        format!("token: !{CANARY}"),
        format!("token:{CANARY}"),
        format!("token {CANARY}"),
        format!("token: '{CANARY}' x"),
        format!("token: \"{CANARY}"),
        format!("token: [{CANARY}"),
    ] {
        checks_yaml(folder.path(), &format!("{of_webhook}      headers:\n        {header}\n"));
    }
}

/// Neither the check nor the printed form of this file contains the canary.
fn checks_yaml(folder: &Path, yaml: &str) {
    fs::write(folder.join("a.yml"), yaml).unwrap();
    for task in ["config", "--config.check"] {
        keeps_the_secret(yaml, &run_in(folder, ["-c", "a.yml", task]));
    }
}

#[test]
fn no_secret_is_on_a_page_or_in_the_log_at_its_most_verbose_level() {
    let folder = folder();
    let secrets = ["hook", "key", "token"].map(|name| folder.path().join(name));
    secrets.iter().for_each(|path| write_secret(path, &format!("http://127.0.0.1:9/{CANARY}")));
    let yaml = format!(
        "notify:\n  receivers:\n    - {{name: a, type: slack, url_file: hook}}\n    \
         - {{name: b, type: webhook, url: \"http://127.0.0.1:9/{CANARY}\", headers: {{X-Key: {CANARY}}}}}\n    \
         - {{name: c, type: pagerduty, url: \"http://127.0.0.1:9\", routing_key: {CANARY}}}\n    \
         - {{name: d, type: opsgenie, url: \"http://127.0.0.1:9\", api_key_file: key, header_files: {{X-Key: token}}}}\n    \
         - {{name: e, type: alertmanager, url: \"http://127.0.0.1:9/{CANARY}\"}}\nlog: {{level: trace}}\n\
         bandwidth: {{limit: 1}}\n"
    );
    fs::write(folder.path().join("a.yml"), yaml).unwrap();
    let mut command = program("-c a.yml -r mix.pcap -promHTTP 127.0.0.1:0".split_whitespace());
    let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
    exporter.is_ready();
    for page in ["/", "/metrics", "/capabilities", "/active", "/all"] {
        let text = get(exporter.address(), page);
        assert!(!text.contains(CANARY), "{page}");
    }
    exporter.signal("TERM");
    let (_, messages) = exporter.ended();
    assert!(messages.contains("trafficmonitor starts"), "{messages}");
    assert!(!messages.contains(CANARY), "{messages}");
}
