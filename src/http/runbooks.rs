//! The runbooks of alerts as a page. Takes the document in Markdown; gives HTML. Must not know alerts.
//!
//! The document is part of the program. Of Markdown it uses headings, paragraphs, lists, code and links; a link to
//! another document becomes its words.

use std::sync::LazyLock;

/// The path of the page. The heading of an alert is its fragment.
pub(super) const PATH: &str = "/runbooks";

const MARKDOWN: &str = include_str!("../../docs/runbooks.md");

/// The page.
pub(super) static PAGE: LazyLock<String> = LazyLock::new(|| {
    let (title, body) = ("Runbooks", body(MARKDOWN));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>trafficmonitor: {title}</title></head>\n<body>\n{body}</body>\n</html>\n"
    )
});

/// A block of the document: lines without an empty one between them.
fn body(markdown: &str) -> String {
    let mut html = String::new();
    for block in markdown.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let block = block.trim_matches('\n');
        if let Some(heading) = block.strip_prefix('#') {
            html += &heading_html(heading);
        } else if block.starts_with("- ") {
            html += &list_html(block);
        } else if block.starts_with("    ") {
            let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
            html += &format!("<pre><code>{}</code></pre>\n", escaped(&lines.join("\n")));
        } else {
            html += &format!("<p>{}</p>\n", inline(block));
        }
    }
    html
}

/// A heading with an anchor as GitHub makes it. `text` follows the first `#`.
fn heading_html(text: &str) -> String {
    let words = text.trim_start_matches('#');
    let (level, words) = (1 + text.len() - words.len(), words.trim());
    let anchor = words.to_ascii_lowercase().replace(' ', "-");
    format!("<h{level} id=\"{}\">{}</h{level}>\n", escaped(&anchor), inline(words))
}

/// An item begins with `- `; further lines of it are indented.
fn list_html(block: &str) -> String {
    let items = block.strip_prefix("- ").unwrap_or(block).split("\n- ");
    let items: String = items.map(|item| format!("<li>{}</li>\n", inline(item))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// Text with its code and links.
fn inline(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Every other part is between two backticks.
    let parts = joined.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { plain(part) }).collect()
}

/// Text without code: emphasis and links lose their marks.
fn plain(text: &str) -> String {
    let mut left = text;
    let mut html = String::new();
    while let Some((before, rest)) = left.split_once('[') {
        let Some((words, target)) = rest.split_once("](") else { break };
        let Some((_, after)) = target.split_once(')') else { break };
        html += &escaped(before);
        html += &escaped(words);
        left = after;
    }
    html += &escaped(left);
    html.replace('*', "")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Kind;
    use crate::notify::runbook_address;

    #[test]
    fn each_kind_of_alerts_has_its_heading() {
        for kind in Kind::ALL {
            let address = runbook_address(&format!("{PATH}#{{alert}}"), kind);
            let anchor = address.split_once('#').unwrap().1;
            assert!(PAGE.contains(&format!("<h2 id=\"{anchor}\">")), "{address}");
        }
    }

    #[test]
    fn markdown_becomes_html() {
        for (markdown, html) in [
            ("# A <b>", "<h1 id=\"a-&lt;b&gt;\">A &lt;b&gt;</h1>\n"),
            ("## A B\n\ntext & more\nlines", "<h2 id=\"a-b\">A B</h2>\n<p>text &amp; more lines</p>\n"),
            (
                "- one `a<b`\n  goes on\n- *two*",
                "<ul>\n<li>one <code>a&lt;b</code> goes on</li>\n<li>two</li>\n</ul>\n",
            ),
            ("see [this](x.md#y) there", "<p>see this there</p>\n"),
            ("[odd", "<p>[odd</p>\n"),
            ("    code <x>\n    more", "<pre><code>code &lt;x&gt;\nmore</code></pre>\n"),
        ] {
            assert_eq!(body(markdown), html);
        }
    }
}
