//! The man page in section 8, written from the declarations.
//!
//! Takes the options that work; gives the page as text. Must not know what an option sets.

mod roff;

use super::command::{PROGRAM, SUBCOMMANDS, heading};
use super::options::{HELP, VERSION, all};
use crate::config::{Declaration, without_repeats};
use roff::Page;

/// System administration: a daemon that needs rights of its own.
const SECTION: &str = "8";

const DESCRIPTION: [&str; 3] = [
    "trafficmonitor captures packets with libpcap, reads their headers, and serves to Prometheus which addresses talk to each \
     other, on what protocol, and how much: each packet is counted once, to the byte. It looks for unusual bandwidth, scans and \
     anomalies, and writes a line for each change of an alert to standard output.",
    "It captures until INT or TERM. It needs the capability CAP_NET_RAW and no other right; with -daq xdp or \
     tc it needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON instead.",
    "FILTER is a filter as in pcap-filter(7); only packets that pass it are counted. One word that ends in .conf is \
     TrafficAlerted's configuration file, and seven words are the arguments of the older TrafficAlerted.",
];

const OPTIONS: &str = "Long options take one dash or two, and their value after a space or after =. A switch takes a value \
                       after = alone. An empty value (-filter=) means that the option is not given. Of an option that is given \
                       several times the last counts, but -iface and -promHTTP add to their lists. An option overrides its \
                       variable, and both override the file.";

const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "Failed while running; or `trafficmonitor check` found what will not work."),
    ("2", "The command line or the configuration is wrong; nothing was done."),
];

const ENVIRONMENT: &str = "Each variable gives a value to an option that is not given. A blank one counts as not set.";

const FILES: [(&str, &str); 6] = [
    (
        "FILE.yml",
        "The configuration file that -config names; none is read unless it is named. `trafficmonitor config` prints all settings in \
      its form.",
    ),
    ("FILE.conf", "TrafficAlerted's configuration file, likewise."),
    (
        "/etc/systemd/system/trafficmonitor.service",
        "The unit, where it was installed from examples/trafficmonitor.service.",
    ),
    ("/etc/default/trafficmonitor", "Variables of the environment for that unit, if there is such a file."),
    ("/proc/net/dev", "What each interface counted, which trafficmonitor_capture_coverage_ratio compares."),
    (
        "/proc/sys/net/ipv4/ip_forward",
        "Whether the host is a gateway, where a forwarded packet shows twice and counts once; \
      likewise /proc/sys/net/ipv6/conf/all/forwarding.",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    (
        "INT, TERM",
        "Count all that the kernel has let through, print how many packets were captured and dropped, and end, within \
      two seconds, or five with -daq xdp or tc. A second signal ends the program at once; a repetition within 20 ms counts as the first.",
    ),
    (
        "HUP",
        "Reopen the file of the event log, reread the configuration and the lists of networks, and put them into force without \
      losing a packet. A configuration that is wrong or needs a restart is refused, and the running one stays. A terminal that is \
      closed does not end the program.",
    ),
];

const EXAMPLES: [(&str, &str); 7] = [
    (
        "trafficmonitor --web.listen-address 127.0.0.1:8888",
        "Capture every interface that is up, and serve only this host.",
    ),
    (
        "trafficmonitor -iface eth0 --web.listen-address 10.0.0.1:8888",
        "Capture one interface of a gateway, and serve its inner network.",
    ),
    (
        "trafficmonitor -iface eth0 -localNetworks 10.0.0.0/8,2001:db8::/32 tcp port 443",
        "Count only HTTPS, with local networks of your own.",
    ),
    ("trafficmonitor interfaces", "List the interfaces, and which of them would be captured."),
    ("trafficmonitor replay office.pcap", "Read a capture file and print a table."),
    ("trafficmonitor -config trafficmonitor.yml --config.check", "Check a configuration file."),
    ("setcap cap_net_raw=ep /usr/local/bin/trafficmonitor", "Let users other than root capture."),
];

const SEE_ALSO: &str = "pcap-filter(7), tcpdump(8), capabilities(7), setcap(8)";

pub(crate) fn page() -> String {
    let mut page = Page::new(PROGRAM, SECTION, env!("TRAFFICMONITOR_DATE"), env!("CARGO_PKG_VERSION"));
    page.section("NAME").line("trafficmonitor \\- Prometheus exporter of network traffic, backed by libpcap");
    synopsis(&mut page);
    page.section("DESCRIPTION");
    DESCRIPTION.iter().for_each(|paragraph| page.paragraph(paragraph));
    page.section("SUBCOMMANDS");
    SUBCOMMANDS.iter().for_each(|(name, about)| page.entry(&format!("{PROGRAM} {name}"), &[about]));
    options(&mut page);
    entries(&mut page, "EXIT STATUS", &EXIT_STATUS);
    environment(&mut page);
    entries(&mut page, "FILES", &FILES);
    entries(&mut page, "SIGNALS", &SIGNALS);
    entries(&mut page, "EXAMPLES", &EXAMPLES);
    page.section("SEE ALSO");
    page.paragraph(SEE_ALSO);
    page.text()
}

fn synopsis(page: &mut Page) {
    page.section("SYNOPSIS");
    let words = [
        "[OPTION...] [FILTER]",
        "[OPTION...] replay FILE...",
        "[OPTION...] test CASES...",
        "[OPTION...] analyze LOG...",
        "[OPTION...] check [FILTER]",
        "[OPTION...] interfaces | config",
        "completions SHELL",
        "man",
    ];
    words.iter().for_each(|words| page.usage(PROGRAM, words));
}

fn entries(page: &mut Page, title: &str, entries: &[(&str, &str)]) {
    page.section(title);
    entries.iter().for_each(|(name, text)| page.entry(name, &[text]));
}

/// The options under the headings of the help; those without one first.
fn options(page: &mut Page) {
    page.section("OPTIONS");
    page.paragraph(OPTIONS);
    let mut headings: Vec<_> = all().map(heading).collect();
    headings.sort_by_key(Option::is_some);
    for heading_here in without_repeats(headings) {
        page.subsection(heading_here.unwrap_or("General"));
        all()
            .filter(|declaration| heading(declaration) == heading_here)
            .for_each(|declaration| option(page, declaration));
    }
}

fn option(page: &mut Page, declaration: &Declaration) {
    let is_switch = !declaration.arity.takes_next() && !matches!(declaration.id().as_str(), HELP | VERSION);
    let value = if is_switch { "[=BOOL]".to_owned() } else { format!(" {}", declaration.value) };
    let head = format!("{}{}", declaration.spellings().join(", "), value.trim_end());
    let default = (!declaration.default.is_empty()).then(|| format!("Default: {}.", breakable(declaration.default)));
    let keys: Vec<_> = declaration.keys.iter().map(|(section, key)| format!("{section}.{key}")).collect();
    let keys = (!keys.is_empty()).then(|| format!("In the file: {}.", keys.join(" and ")));
    let help = format!("{}.", declaration.help);
    let texts: Vec<String> = std::iter::once(help).chain(default).chain(keys).collect();
    page.entry(&head, &texts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A list with spaces, at which its line can be broken.
fn breakable(list: &str) -> String {
    list.replace(',', ", ")
}

fn environment(page: &mut Page) {
    page.section("ENVIRONMENT");
    page.paragraph(ENVIRONMENT);
    for declaration in all() {
        if let (Some(variable), Some(option)) = (declaration.variable, declaration.spellings().first()) {
            page.entry(variable, &[option]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_sections_of_a_daemon() {
        let page = page();
        assert!(page.starts_with(".TH trafficmonitor 8 "), "{page}");
        for title in
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "FILES", "SIGNALS", "EXAMPLES", "SEE ALSO"]
        {
            assert!(page.contains(&format!("\n.SH {title}\n")), "{title}");
        }
        assert!(page.contains("\n.SH EXIT STATUS\n"));
    }

    #[test]
    fn the_examples_are_command_lines_that_are_right() {
        for (line, _) in EXAMPLES.iter().filter(|(line, _)| line.starts_with(PROGRAM)) {
            // The file of the check is not there.
            let words = line.split(' ').filter(|word| !["-config", "trafficmonitor.yml"].contains(word));
            let parsed = crate::cli::parse(words.map(Into::into), [], "libpcap version 1");
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}
