use super::*;
use crate::events::analysis::LogFormat;
use crate::events::log::EventFormat;

#[test]
fn event_log_has_the_settings_of_the_older_program() {
    let config = run("-i eth0 --log-format json --log-file traffic.json --log-buffer-size 4096");
    assert_eq!(
        (config.events.format, config.events.file.as_deref(), config.events.buffer_bytes),
        (EventFormat::Json, Some(Path::new("traffic.json")), 4_096)
    );
    let rotated =
        run("--log-file x --log-max-size 100MB --log-max-age 1d --log-rotations 3 --summary-interval 0").events;
    assert_eq!((rotated.max_bytes, rotated.rotations), (Some(100_000_000), 3));
    assert_eq!((rotated.max_age, rotated.summary_interval), (Some(Duration::from_secs(86_400)), Duration::ZERO));
    assert_eq!(run("--log-format console").events, crate::events::Config::default());
}

#[test]
fn verbose_implies_the_debug_level_unless_one_is_given() {
    for line in ["-v", "-vv", "--verbose", "-verbose=true"] {
        let config = run(line);
        assert!(config.events.is_verbose && config.log.level == Level::DEBUG, "{line}");
    }
    assert_eq!(run("-v --log.level warn").log.level, Level::WARN);
    assert_eq!(run("-verbose=false"), Config::default());
}

#[test]
fn format_without_a_file_is_refused() {
    for format in ["json", "csv", "jsonl"] {
        let problem = format!("--log-format: the format {format} needs a file; add --log-file FILE");
        assert_eq!(refusal(&format!("--log-format {format}")), problem);
    }
}

#[test]
fn values_of_the_two_options_for_logs_are_told_apart() {
    assert_eq!(
        refusal("--log-format logfmt"),
        "--log-format logfmt: this is a value of --log.format (the program's own log); expected console, json, csv or jsonl"
    );
    assert_eq!(
        refusal("--log.format csv"),
        "--log.format csv: this is a value of --log-format (the event log); expected logfmt or json"
    );
}

#[test]
fn name_of_a_file_that_suggests_another_format_is_noticed() {
    let notices = run("--log-file traffic.jsonl").notices;
    assert_eq!(
        notices,
        ["--log-file: traffic.jsonl is written in the format console; add --log-format jsonl if the name is meant"]
    );
    assert_eq!(run("--log-file traffic.jsonl --log-format console").notices, [""; 0]);
    assert_eq!(run("--log-file traffic.log").notices, [""; 0]);
}

fn analysis(line: &str) -> AnalyzeInvocation {
    match parse_line(line) {
        Ok(Invocation::Analyze(analysis)) => analysis,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn analyze_takes_logs_and_its_options() {
    let plain = analysis("analyze traffic.jsonl -");
    assert_eq!(plain.files, [Path::new("traffic.jsonl"), Path::new("-")]);
    assert_eq!((plain.format, plain.report, plain.top), (None, None, None));
    let all = analysis("analyze a.csv --format csv --export-report report.json --top 5 --log.level debug");
    assert_eq!((all.format, all.top, all.log.level), (Some(LogFormat::Csv), Some(Top::Most(5)), Level::DEBUG));
    assert_eq!(all.report.as_deref(), Some(Path::new("report.json")));
    assert_eq!(analysis("analyze a --format auto --top all").top, Some(Top::All));
}

#[test]
fn options_of_analyze_are_refused_elsewhere() {
    for (line, problem) in [
        ("--format csv", "--format: only available with analyze; add analyze FILE or remove the option"),
        (
            "replay a.pcap --export-report x",
            "--export-report: only available with analyze; add analyze FILE or remove the option",
        ),
        ("analyze a --format logfmt", "--format logfmt: expected auto, json, jsonl or csv"),
        ("analyze a -r b", "-r b: analyze reads event logs, which it takes as arguments: analyze FILE"),
    ] {
        assert_eq!(refusal(line), problem, "{line}");
    }
    assert!(refusal("analyze").contains("required"));
}
