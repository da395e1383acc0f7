//! The addresses of runbooks: the instructions for each kind of alerts.
//!
//! Takes a URL with placeholders and a kind; gives a URL. Must not know what stands there.

use super::notice::alert_name;
use super::url::check_url;
use crate::detect::Kind;

/// Stands for the word of the kind, such as `host_scan`.
const KIND: &str = "{kind}";
/// Stands for the name of the alert in lower case, such as `trafficmonitorhostscan`: the headings of docs/runbooks.md.
const ALERT: &str = "{alert}";
/// The most bytes of an address. Opsgenie cuts longer details.
const LONGEST: usize = 350;
/// Characters that end a link where vendors look for it, or that a URL must escape.
const UNUSABLE: &[u8] = b"\"'<>\\^`{|}";

/// The address for a kind. Characters that no word of a kind has are left out.
pub(super) fn address(template: &str, kind: &str) -> String {
    let kind: String = kind.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    template.replace(KIND, &kind).replace(ALERT, &alert_name(&kind).to_ascii_lowercase())
}

/// The address of the runbook for a kind of alerts.
pub fn runbook_address(template: &str, kind: Kind) -> String {
    address(template, kind.label())
}

/// True if each kind of alerts has a usable address: http or https, no unknown placeholder, at most 350 bytes.
pub fn is_template(text: &str) -> bool {
    Kind::ALL.into_iter().all(|kind| is_address(&address(text, kind.label())))
}

fn is_address(url: &str) -> bool {
    let is_usable = |byte: u8| byte.is_ascii_graphic() && !UNUSABLE.contains(&byte);
    let before_fragment = url.split_once('#').map_or(url, |(before, _)| before);
    url.len() <= LONGEST && url.bytes().all(is_usable) && check_url(before_fragment).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_the_kind_and_the_heading_of_the_runbook() {
        let runbooks = include_str!("../../docs/runbooks.md").to_lowercase();
        for kind in Kind::ALL {
            let word = kind.label();
            assert_eq!(address("https://wiki/{kind}?k={kind}", word), format!("https://wiki/{word}?k={word}"));
            let of_heading = address("https://wiki/runbooks#{alert}", word);
            let heading = format!("\n## {}\n", of_heading.split_once('#').unwrap().1);
            assert!(runbooks.contains(&heading), "{heading}");
        }
        assert_eq!(address("https://wiki/{kind}", "a/../b c<script>"), "https://wiki/abcscript");
    }

    #[test]
    fn template_is_a_url_with_known_placeholders() {
        for template in ["https://wiki/runbooks.md#{alert}", "http://wiki:8080/{kind}.html", "https://wiki/all?x=1#y"] {
            assert!(is_template(template), "{template}");
        }
        let long = format!("https://wiki/{}", "x".repeat(LONGEST));
        for template in [
            "",
            "wiki/{kind}",
            "ftp://wiki/{kind}",
            "https://wiki/{rule}",
            "https://wiki/{kind",
            "https://user:password@wiki/",
            "https://wiki/a b",
            "https://wiki/#<{kind}>",
            "https://wiki/\u{202e}",
            "https://{kind}:{kind}/",
            &long,
        ] {
            assert!(!is_template(template), "{template}");
        }
    }
}
