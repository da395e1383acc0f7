//! The documents are true: each option, key of the configuration file, environment variable and metric that they name is
//! declared by the program, and each link leads somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trafficmonitor::cli::options::{all, by_long, by_short};
use trafficmonitor::config::declarations::settings;
use trafficmonitor::export::family;

/// Options of other programs that stand by themselves: those of nmap where its scans are listed, one of libFuzzer, one of
/// apt, and those of other exporters that do not exist here.
const OF_OTHERS: [&str; 13] = [
    "-sS",
    "-sT",
    "-sU",
    "-sF",
    "-sn",
    "-T2",
    "-sA",
    "-sM",
    "-max_len=600",
    "--allow-downgrades",
    "--web.telemetry-path",
    "--web.max-requests",
    "--web.systemd-socket",
];
/// Variables of the tests.
const OF_TESTS: [&str; 1] = ["TRAFFICMONITOR_CAPTURES"];
/// The ends of file names, which look like keys.
const FILE_TYPES: [&str; 12] =
    ["leases", "rs", "yml", "yaml", "json", "md", "toml", "sh", "conf", "pcap", "txt", "prom"];
/// Stands for what is left out of a name.
const ELLIPSIS: char = '…';

/// The README fits a few screens.
const README_LINES: usize = 150;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown documents, by path.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/migrating", "fuzz"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut documents: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.sort();
    documents
}

/// Each document, by its path from the top of the repository, with its text.
fn texts() -> Vec<(String, String)> {
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    documents().iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The lines of a Markdown text outside code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_fenced = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        if !is_fenced && !is_fence && !line.starts_with("    ") {
            prose.push((number, line));
        }
    }
    prose
}

/// The text without its code spans.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// The targets of the links and pictures of a Markdown text.
fn targets(text: &str) -> Vec<String> {
    let prose: Vec<&str> = prose(text).into_iter().map(|(_, line)| line).collect();
    let prose = without_code(&prose.join("\n"));
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a Markdown text, as they are made of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter_map(|(_, line)| {
        let heading = line.trim_start_matches('#').strip_prefix(' ')?;
        line.starts_with('#').then(|| anchor(heading))
    });
    headings.collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// True if the link leads to a file and, if it names a heading, to that heading.
fn resolves(document: &str, text: &str, target: &str) -> bool {
    if target.starts_with("https://") || target.starts_with("http://") {
        return true;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = root().join(document).parent().unwrap().join(file);
    if file.is_empty() {
        return anchors(text).contains(heading);
    }
    path.exists() && (heading.is_empty() || anchors(&fs::read_to_string(path).unwrap()).contains(heading))
}

/// The code of a Markdown text: its spans, and its blocks line by line.
fn code(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut is_fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced || line.starts_with("    ") {
            code.push(line.trim().to_owned());
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    // A span may go on in the next line, but not in the next paragraph.
    for paragraph in prose.split("\n\n") {
        let spans = paragraph.split('`').skip(1).step_by(2);
        code.extend(spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    code
}

/// The options of a piece of code: all words with a dash where it begins with one, or where the program is called; those
/// of other programs are not ours.
fn options(code: &str) -> Vec<&str> {
    let mut words = code.split_whitespace().peekable();
    if !code.starts_with('-') {
        let mut called = words.by_ref().skip_while(|word| ["$", "sudo"].contains(word));
        if called.next().and_then(|word| word.rsplit('/').next()) != Some("trafficmonitor") {
            return Vec::new();
        }
    }
    let is_option = |word: &&str| {
        let name = word.trim_start_matches('-');
        name.len() < word.len() && name.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    words.take_while(|word| *word != "#" && *word != "|").filter(is_option).collect()
}

/// True if an option exists; one that ends in an ellipsis stands for all that begin so.
fn is_option(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    let name = name.split(['=', '|', ']', ',', ')', ';']).next().unwrap_or_default().trim_end_matches('.');
    if let Some((prefix, _)) = name.split_once(ELLIPSIS) {
        return all().flat_map(|option| option.long_names()).any(|long| long.starts_with(prefix));
    }
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => by_short(letter).is_some(),
        _ => by_long(name).is_some() || OF_OTHERS.contains(&word),
    }
}

/// True if code has the shape of a key: `section.key`.
fn looks_like_a_key(code: &str) -> bool {
    let parts: Vec<&str> = code.split('.').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    parts.len() > 1 && parts.iter().all(is_word) && !FILE_TYPES.contains(&parts[parts.len() - 1])
}

fn keys() -> BTreeSet<String> {
    let keys = settings().flat_map(|declaration| declaration.keys);
    keys.map(|(section, key)| format!("{section}.{key}")).collect()
}

/// The names in a text that begin with a prefix.
fn names<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter: char| !is_part(letter) && letter != ELLIPSIS);
    words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

fn is_declared(name: &str, mut declared: impl Iterator<Item = &'static str>) -> bool {
    match name.split_once(ELLIPSIS) {
        Some((prefix, _)) => declared.any(|known| known.starts_with(prefix)),
        None => declared.any(|known| known == name),
    }
}

/// All that a piece of code names and nothing declares.
fn unknown(code: &str) -> Vec<String> {
    let options = options(code).into_iter().filter(|option| !is_option(option));
    let is_unknown_key = looks_like_a_key(code) && !keys().contains(code);
    let key = is_unknown_key.then_some(code);
    let metrics = names(code, "trafficmonitor_").into_iter();
    let metrics = metrics.filter(|name| !is_declared(name, family::ALL.iter().map(|family| family.name)));
    let variables = names(code, "TRAFFICMONITOR_").into_iter();
    let variables = variables
        .filter(|name| !OF_TESTS.contains(name) && !is_declared(name, all().filter_map(|option| option.variable)));
    options.chain(key).chain(metrics).chain(variables).map(str::to_owned).collect()
}

#[test]
fn undeclared_names_are_found() {
    for (code, found) in [
        ("-ByteLimit", vec![]),
        ("--max-flows", vec![]),
        ("-promHTTP=:8888", vec![]),
        ("--max-flow", vec!["--max-flow"]),
        ("-anom_…", vec![]),
        ("-anomaly_…", vec!["-anomaly_…"]),
        ("sudo ./trafficmonitor -iface eth0 --nonsense", vec!["--nonsense"]),
        ("tcpdump -nn -i eth0", vec![]),
        ("journalctl -u trafficmonitor -n 50", vec![]),
        ("$ trafficmonitor --scan.rules contacts", vec!["--scan.rules"]),
        ("bandwidth.networks", vec![]),
        ("detect.bandwidth.networks", vec!["detect.bandwidth.networks"]),
        ("alert.exclusion", vec!["alert.exclusion"]),
        ("window.rs", vec![]),
        ("rate(trafficmonitor_flow_bytes_total{source=\"x\"}[1m])", vec![]),
        ("trafficmonitor_flow_bytes", vec!["trafficmonitor_flow_bytes"]),
        ("TRAFFICMONITOR_IFACE", vec![]),
        ("TRAFFICMONITOR_INTERFACE", vec!["TRAFFICMONITOR_INTERFACE"]),
    ] {
        assert_eq!(unknown(code), found, "{code}");
    }
    let text = "A `span` and one\nthat `goes\non`.\n\n    a block\n\n```\nanother\n```\n";
    assert_eq!(code(text), ["a block", "another", "span", "goes on"]);
}

#[test]
fn every_option_key_variable_and_metric_in_the_documents_exists() {
    let documents = documents();
    assert!(documents.iter().any(|path| path.ends_with("docs/runbooks.md")), "{documents:?}");
    let mut missing = Vec::new();
    for path in documents {
        for code in code(&fs::read_to_string(&path).unwrap()) {
            for name in unknown(&code) {
                missing.push(format!("{}: {name} in `{code}`", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "nothing declares these: {missing:#?}");
}

/// Help texts have no code spans: every word with a dash is an option.
#[test]
fn every_option_in_the_help_of_a_metric_and_in_the_alerting_rules_exists() {
    let rules = fs::read_to_string(root().join("alerts.rules.yml")).unwrap();
    let rules = rules.lines().filter(|line| !line.trim_start().starts_with("- "));
    let texts = family::ALL.iter().map(|family| family.help).chain(rules);
    let words = texts.flat_map(|text| text.split([' ', '(', '"'])).filter(|word| {
        let name = word.trim_start_matches('-');
        name.len() < word.len() && name.starts_with(|first: char| first.is_ascii_alphabetic())
    });
    let missing: Vec<&str> = words.filter(|word| !is_option(word)).collect();
    assert!(missing.is_empty(), "nothing declares these: {missing:?}");
}

#[test]
fn readme_fits_a_few_screens() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines; {README_LINES} are allowed");
}

#[test]
fn links_are_found_and_followed() {
    let text =
        "# A `b` c\n\n[one](docs/x.md#y) ![two](z.svg)\n[three\nlines](#a-b-c) `[no](link)`\n\n    [no](block)\n";
    assert_eq!(targets(text), ["docs/x.md#y", "z.svg", "#a-b-c"]);
    for (target, is_right) in [
        ("#a-b-c", true),
        ("#another", false),
        ("../README.md#install", true),
        ("../README.md#nothing", false),
        ("no-such-file.md", false),
        ("https://docs.example/", true),
    ] {
        assert_eq!(resolves("docs/x.md", text, target), is_right, "{target}");
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let of_document = |(name, text): (String, String)| {
        let broken = targets(&text).into_iter().filter(|target| !resolves(&name, &text, target)).collect::<Vec<_>>();
        broken.into_iter().map(move |target| format!("{name}: {target}"))
    };
    let broken: Vec<String> = texts().into_iter().flat_map(of_document).collect();
    assert!(broken.is_empty(), "these links lead nowhere: {broken:#?}");
}

/// Flags, keys and metrics of the older programs, with the pages about them.
const OLDER: [(&str, &str); 4] = [
    (
        "trafficmonitor",
        "-filter -iface -localIPs -localNetworks -promHTTP -promRefresh -promisc -snaplen hosts_src_dst total_incoming \
         total_outgoing",
    ),
    (
        "trafficalerted",
        "TrafficInterval ByteLimit NoDestinations NumberContactedIPs AnalyzePorts NumContactedPorts PortInterval \
         ContactedIPsAnalyze ChartMinBytes ExcludedInterfaces",
    ),
    (
        "wherefore",
        "-anom_active_size -anom_gv_cap -anom_lower_bound -anom_methods -anom_n_seasons -anom_sensitivity \
         -anom_upper_bound -archive_dir -daq -f -filter_bool -filter_dst -filter_ip_CIDR -filter_src -i -l -log_packets \
         -loglevel -max_pcap_log_size -max_pcap_rotations -pcapfile -s -slack_channel -slack_emoji -slack_icon -slack_url \
         -transfer_interval -w",
    ),
    (
        "traffic-monitor-xdp",
        "--interface -i --config -c --drop-packets --verbose -v --log-format --log-file --log-buffer-size permitted_cidrs",
    ),
];

#[test]
fn every_flag_key_and_metric_of_the_older_programs_has_a_row() {
    for (page, names) in OLDER {
        let text = fs::read_to_string(root().join(format!("docs/migrating/{page}.md"))).unwrap();
        let firsts = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let found: BTreeSet<&str> = firsts.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let missing: Vec<&str> = names.split_whitespace().filter(|name| !found.contains(name)).collect();
        assert_eq!(missing, [""; 0], "{page}");
    }
}

/// The YAML blocks of a Markdown text.
fn yaml_blocks(text: &str) -> Vec<&str> {
    text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

#[test]
fn every_piece_of_configuration_in_the_tasks_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("docs/configuring.md")).unwrap();
    let blocks = yaml_blocks(&text);
    assert!(blocks.len() > 5);
    for block in blocks {
        let path = folder.path().join("block.yml");
        fs::write(&path, block).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
        let ended = command.env_clear().arg("-c").arg(&path).arg("config").output().unwrap();
        assert!(ended.status.success(), "{block}\n{}", String::from_utf8_lossy(&ended.stderr));
    }
}
