use std::path::Path;

use crate::config::{Settings, file};

/// The refusal of a file with that text.
fn refusal_of(text: &str) -> String {
    file::parse(text, Path::new("t.yml")).and_then(Settings::validate).expect_err(text).to_string()
}

#[track_caller]
fn is_reported(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(refusal_of(text), format!("t.yml:{expected}"), "{text}");
    }
}

#[test]
fn missing_space_is_reported_with_the_correct_line() {
    is_reported(&[
        ("capture:\n  filter:tcp\n", "2:3: a space is missing after the colon; write `filter: tcp`"),
        ("capture:\n\n  # x\n  filter:tcp # y\n", "4:3: a space is missing after the colon; write `filter: tcp`"),
        (
            "capture:\n  filter:tcp\n  snap_length: 100\n",
            "2:3: a space is missing after the colon; write `filter: tcp`",
        ),
        ("log:\n  level: info\n  format:json\n", "3:3: a space is missing after the colon; write `format: json`"),
        ("log:\n  format:json\n  level: info\n", "2:3: a space is missing after the colon; write `format: json`"),
        ("capture:\n  promiscuous:true\n", "2:3: a space is missing after the colon; write `promiscuous: true`"),
        ("log: {level:info}\n", "1:7: a space is missing after the colon; write `level: info`"),
        ("log:{level: info}\n", "1:1: a space is missing after the colon; write `log: {level: info}`"),
        (
            "bandwidth:\n  networks:\n  - network:10.0.0.0/8\n    limit: 1G\n",
            "3:5: a space is missing after the colon; write `network: 10.0.0.0/8`",
        ),
        ("capture:\n  interfaces:\n  -eth0\n", "3:3: a space is missing after the dash; write `- eth0`"),
    ]);
}

#[test]
fn missing_colon_is_reported() {
    is_reported(&[
        ("capture\n  filter: tcp\n", "1:1: a colon is missing after capture; write `capture:`"),
        ("capture:\n  filter = tcp\n", "2:3: a colon is missing after filter; write `filter: tcp`"),
        ("capture:\n  filter tcp port 80\n", "2:3: a colon is missing after filter; write `filter: tcp port 80`"),
        ("log:\n  level=info\n", "2:3: a colon is missing after level; write `level: info`"),
    ]);
}

#[test]
fn tabs_and_other_blanks_are_reported() {
    is_reported(&[
        ("capture:\n\tfilter: tcp\n", "2:1: tab in the indentation; use spaces"),
        ("log:\n  level: info\n\tformat: json\n", "3:1: tab in the indentation; use spaces"),
        ("log:\n\u{a0} level: info\n", "2:1: blank that is no space (U+00A0) in the indentation; use spaces"),
    ]);
}

#[test]
fn misaligned_keys_are_reported() {
    let same = "keys of a section must be aligned";
    for (text, expected) in [
        (
            "capture:\n  filter: tcp\n   promiscuous: true\n",
            "3:4: promiscuous begins in column 4, but filter (line 2) in column 3",
        ),
        (
            "capture:\n  filter: tcp\n promiscuous: true\n",
            "3:2: promiscuous begins in column 2, but filter (line 2) in column 3",
        ),
        ("log:\n    level: info\n  format: json\n", "3:3: format begins in column 3, but level (line 2) in column 5"),
        (" log:\n  level: info\nhttp:\n  listen: :1\n", "3:1: http begins in column 1, but log (line 1) in column 2"),
        ("log:\n  level: info\n http:\n  listen: :1\n", "3:2: http begins in column 2, but level (line 2) in column 3"),
    ] {
        assert_eq!(refusal_of(text), format!("t.yml:{expected}; {same}"), "{text}");
    }
}

#[test]
fn unclosed_quotes_and_brackets_are_reported_where_they_open() {
    is_reported(&[
        ("capture:\n  filter: \"tcp\n", "2:11: the quote \" is not closed"),
        ("capture:\n  filter: 'tcp\n  promiscuous: true\n", "2:11: the quote ' is not closed"),
        ("log:\n  level: \"info\n  format: json\n", "2:10: the quote \" is not closed"),
        ("capture:\n  interfaces: [eth0\n", "2:15: the bracket [ is not closed"),
        ("http:\n  listen: [\":8888\"\nlog:\n  level: info\n", "2:11: the bracket [ is not closed"),
    ]);
}

#[test]
fn values_that_need_quotes_are_shown_with_them() {
    is_reported(&[
        (
            "capture:\n  filter: \"tcp\" and udp\n",
            "2:17: text after the closing quote; quote the whole value: '\"tcp\" and udp'",
        ),
        (
            "capture:\n  filter: tcp: x\n",
            "2:11: a value that contains a colon and a space must be quoted; write 'tcp: x'",
        ),
        ("capture:\n  interfaces: *\n", "2:15: a value that begins with * must be quoted; write '*'"),
        ("capture:\n  filter: @x\n", "2:11: a value that begins with @ must be quoted; write '@x'"),
        ("capture:\n  filter: `tcp`\n", "2:11: a value that begins with ` must be quoted; write '`tcp`'"),
        ("log: level: info\n", "1:6: level follows another key; write each key on its own line"),
    ]);
}

/// YAML reads `!tcp` as a tag without a value: nothing would be filtered.
#[test]
fn value_that_yaml_would_drop_silently_is_refused() {
    is_reported(&[
        ("capture:\n  filter: !tcp\n", "2:11: a value that begins with ! must be quoted; write '!tcp'"),
        ("capture:\n  filter: ! tcp\n", "2:11: a value that begins with ! must be quoted; write '! tcp'"),
        ("capture: {filter: !tcp, snap_length: 96}\n", "1:19: a value that begins with ! must be quoted; write '!tcp'"),
        ("log:\n  level: &a\n", "2:10: a value that begins with & must be quoted; write '&a'"),
        ("capture:\n  interfaces:\n  - !eth0\n", "3:5: a value that begins with ! must be quoted; write '!eth0'"),
    ]);
    for text in
        ["capture:\n  filter: '!tcp'\n", "capture:\n  filter: tcp and !udp\n", "capture:\n  filter: \"! tcp\" # !\n"]
    {
        let read = file::parse(text, Path::new("t.yml")).and_then(Settings::validate).expect(text);
        assert!(read.capture.filter.is_some(), "{text}");
    }
}

#[test]
fn duplicate_key_is_reported() {
    is_reported(&[(
        "capture:\n  filter: tcp\ncapture:\n  promiscuous: true\n",
        "3:1: duplicate key capture; remove one",
    )]);
}

#[test]
fn correct_notation_is_read() {
    for text in [
        "capture:\n  interfaces: [eth0,\n    eth1]\n",
        "capture:\n  filter: |\n    tcp\n",
        "http:\n  listen: :8888\n",
        "log: {level: info}\r\n",
        "\u{feff}log:\n  level: info\n",
        "capture:\n  filter: tcp[tcpflags] & 2 != 0\n",
    ] {
        file::parse(text, Path::new("t.yml")).expect(text);
    }
}
