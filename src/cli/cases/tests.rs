//! Any text is read as cases or refused.

use std::path::Path;

use proptest::prelude::*;

use super::file::parse;
use crate::config::Settings;

/// A file with every key.
const WHOLE: &str = "\
defaults: {capture: Cargo.toml, config: {bandwidth: {limit: 5M}}, options: [-explain], others: fail}
cases:
  - name: x
    capture: [Cargo.toml, Cargo.lock]
    config: {scan: {contacted_ips: 30}}
    options: -ByteLimit 1G
    alerts:
      - {kind: anomaly, source: 10.0.0.1, destination: 10.0.0.0/8, rule: r, severity: info, side: inside, min_value: 5,
         after: 2, before: 2023-11-14T22:13:20Z}
    absent:
      - {network: 10.0.0.0/8}
    others: allow
  - {name: y}
";

fn read(text: &str) -> Result<usize, String> {
    let file = parse(text, Path::new("x.yml"), &Settings::default());
    file.map(|file| file.cases.len()).map_err(|error| error.to_string())
}

#[test]
fn file_with_every_key_is_read() {
    assert_eq!(read(WHOLE), Ok(2));
}

proptest! {
    #[test]
    fn changed_text_is_read_or_refused_with_its_place(at in 0..WHOLE.len(), cut in 0..8_usize, put in "[\\PC\n\t]{0,6}") {
        let end = (at + cut).min(WHOLE.len());
        let text = format!("{}{put}{}", &WHOLE[..at], &WHOLE[end..]);
        if let Err(message) = read(&text) {
            prop_assert!(message.starts_with("x.yml:"), "{message}\n{text}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        drop(read(&text));
    }
}
