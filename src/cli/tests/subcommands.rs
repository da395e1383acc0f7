use super::*;

#[test]
fn mistakes_of_subcommands_are_reported_as_they_were_typed() {
    let table = [
        ("-bytes", "-bytes: only available with replay; metrics are always exact"),
        ("replay a --bytes=x", "--bytes=x: expected true or false"),
        ("-max-flows 0", "-max-flows 0: expected a number from 1 to 16777216"),
        ("-flow-key port", "-flow-key port: expected service, dst-port or pair"),
        ("-log.level loud", "-log.level loud: expected error, warn, info, debug or trace"),
        ("replay", "the following required arguments were not provided: <FILE>..."),
        ("test", "the following required arguments were not provided: <CASES>..."),
        ("test a -r b", "-r b: test takes its captures from the cases"),
        ("test a -top 3", "-top: only available with replay; --max-series limits the flows that are exported"),
        ("-run x", "-run: only available with test; add test CASES.yml or remove the option"),
        ("replay a -junit=x", "-junit: only available with test; add test CASES.yml or remove the option"),
        ("interfaces eth0", "unexpected argument 'eth0' found"),
        ("man -iface eth0", "unexpected argument '-iface' found"),
        ("-c /nowhere/x.yml", "/nowhere/x.yml: cannot read the configuration: No such file or directory (os error 2)"),
    ];
    are_refused(&table);
}

#[test]
fn options_may_stand_before_a_subcommand_and_behind_it() {
    let table = ["-flow-key pair -output jsonl -f tcp replay a b", "replay a b -flow-key pair -output jsonl -f tcp"];
    for line in table {
        let Ok(Invocation::Replay(replay)) = parse_line(line) else { panic!("{line}") };
        assert_eq!(replay.files, [Path::new("a"), Path::new("b")], "{line}");
        assert_eq!(replay.output, ReplayOutput::JsonLines, "{line}");
        assert_eq!(replay.config.account.flow_keying, FlowKeying::Pair, "{line}");
        assert_eq!(replay.config.capture.filter.as_deref(), Some("tcp"), "{line}");
    }
    let Ok(Invocation::Interfaces(config)) = parse_line("-i eth0 interfaces -i eth1") else { panic!() };
    assert_eq!(config.capture.selection, named(&["eth0", "eth1"]));
    let Ok(Invocation::PrintConfig(config)) = parse_line("-s 105 config -s 106") else { panic!() };
    assert_eq!(config.capture.snap_length, 106);
}

#[test]
fn replay_reads_its_outputs() {
    for (text, output) in OUTPUT.words {
        let Ok(Invocation::Replay(replay)) = parse_line(&format!("replay - --output {text}")) else { panic!("{text}") };
        assert_eq!((replay.output, replay.files.as_slice()), (*output, &[PathBuf::from("-")][..]));
    }
    let Ok(Invocation::Replay(replay)) = parse_line("replay a --workers 3 -r=") else { panic!() };
    assert_eq!((replay.output, replay.workers, replay.config.source), (ReplayOutput::Table, 3, None));
    assert_eq!((replay.top, replay.exact), (None, false));
}

#[test]
fn replay_reads_the_number_of_rows_to_list() {
    for (line, top, exact) in [
        ("replay a --top 7 --bytes", Top::Most(7), true),
        ("replay a -top all -bytes=false", Top::All, false),
        ("replay a --output csv --top 1", Top::Most(1), false),
        ("replay a --output jsonl --top all --bytes", Top::All, true),
    ] {
        let Ok(Invocation::Replay(replay)) = parse_line(line) else { panic!("{line}") };
        assert_eq!((replay.top, replay.exact), (Some(top), exact), "{line}");
    }
}

#[test]
fn help_and_version_are_not_errors() {
    for line in
        ["-h", "--help", "-help", "replay --help", "interfaces -h", "-web.config.file x --help", "help", "help replay"]
    {
        let usage = parse_line(line).expect_err(line);
        assert_eq!(usage.exit_code, 0, "{line}");
        assert!(usage.message.contains("Usage: "), "{line}");
    }
    assert_eq!(parse_line("-V").unwrap_err().message, format!("trafficmonitor {}", env!("CARGO_PKG_VERSION")));
    for line in ["--version", "-version", "replay --version"] {
        let usage = parse_line(line).unwrap_err();
        let commit = env!("TRAFFICMONITOR_COMMIT");
        let expected = format!("trafficmonitor {}\ncommit {commit}\n{LIBPCAP}", env!("CARGO_PKG_VERSION"));
        assert_eq!((usage.message, usage.exit_code), (expected, 0), "{line}");
    }
}

/// The long options that the help of a command line names.
fn options_in_help(line: &str) -> Vec<String> {
    let help = parse_line(line).unwrap_err().message;
    let is_option = |word: &&str| word.starts_with("--");
    let first = |line: &str| line.split_whitespace().take(2).find(is_option).map(str::to_owned);
    // Text is indented farther than names.
    let is_name = |line: &&str| line.trim_start().starts_with('-') && !line.starts_with("        ");
    let names = help.lines().filter(is_name).filter_map(first);
    names.map(|name| name.split(['[', '=']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_help_of_a_subcommand_lists_what_it_uses() {
    assert_eq!(
        options_in_help("interfaces --help"),
        ["--config", "--config.check", "--help", "--version", "--iface", "--ExcludedInterfaces"]
    );
    for line in ["man --help", "completions --help"] {
        assert_eq!(options_in_help(line), ["--help", "--version"], "{line}");
    }
    let replay = options_in_help("replay --help");
    for name in ["--output", "--workers", "--filter", "--flow-key", "--localNetworks", "--ByteLimit", "--log.level"] {
        assert!(replay.contains(&name.to_owned()), "{name}: {replay:?}");
    }
    for name in ["--iface", "--promisc", "--snaplen", "--promHTTP", "--promRefresh", "--pcapfile", "--idle-timeout"] {
        assert!(!replay.contains(&name.to_owned()), "{name}");
    }
    let test = options_in_help("test --help");
    for name in ["--run", "--junit", "--filter", "--ByteLimit", "--config"] {
        assert!(test.contains(&name.to_owned()), "{name}: {test:?}");
    }
    for name in ["--output", "--workers", "--iface", "--promHTTP"] {
        assert!(!test.contains(&name.to_owned()), "{name}");
    }
    for line in ["--help", "config --help"] {
        let all = options_in_help(line);
        assert!(all.contains(&"--promHTTP".to_owned()) && !all.contains(&"--output".to_owned()), "{line}");
    }
}

#[test]
fn a_setting_that_a_subcommand_does_not_use_is_accepted() {
    assert!(matches!(parse_line("interfaces -promHTTP :9 -s 1500"), Ok(Invocation::Interfaces(_))));
    assert!(matches!(parse_line("-promHTTP :9 replay a -promRefresh 5"), Ok(Invocation::Replay(_))));
}

#[test]
fn completions_and_man_need_no_configuration() {
    let broken = [("TRAFFICMONITOR_SNAPLEN", "x")];
    let Ok(Invocation::Print(script)) = parse_all(&["completions", "bash"], &broken) else { panic!() };
    assert!(script.contains("_trafficmonitor"));
    let Ok(Invocation::Print(page)) = parse_all(&["man"], &broken) else { panic!() };
    assert!(page.contains(".TH"));
    assert_eq!(
        refusal("completions tcsh"),
        "invalid value 'tcsh' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]"
    );
}

#[test]
fn a_word_near_a_subcommand_finds_it() {
    let table = [
        ("repaly", Some("replay")),
        ("interface", Some("interfaces")),
        ("analyse", Some("analyze")),
        ("Config", Some("config")),
        ("tcp", None),
        ("host", None),
        ("ip", None),
        ("net", None),
        ("inbound", None),
        ("port", None),
    ];
    for (word, subcommand) in table {
        assert_eq!(hints::nearest_subcommand(word), subcommand, "{word}");
    }
}
