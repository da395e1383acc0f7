//! The results as JUnit XML, read by an XML parser.

use std::fs;

use roxmltree::{Document, Node};

use super::{Cases, SWEEP, case};

/// The attributes of an element, in the order of their names here.
fn attributes<'a>(node: &Node<'a, '_>, names: &[&str]) -> Vec<&'a str> {
    names.iter().map(|name| node.attribute(*name).unwrap_or_else(|| panic!("no {name} in {node:?}"))).collect()
}

/// The document that a run of these cases writes.
fn written(cases: &Cases, status: i32) -> String {
    let ended = cases.run(&["cases.yml", "--junit", "out.xml"]);
    assert_eq!(ended.status, Some(status), "{ended:?}");
    fs::read_to_string(cases.path().join("out.xml")).unwrap()
}

#[test]
fn results_are_suites_with_cases_and_their_differences() {
    let text = "cases:\n  - {name: passes, capture: quiet.pcap}\n  - {name: fails, capture: sweep.pcap}\n  \
                - {name: breaks, capture: cases.yml}\n";
    let text = written(&Cases::new(text), 1);
    let document = Document::parse(&text).unwrap();
    let suites = document.root_element();
    let counts = ["tests", "failures", "errors"];
    assert_eq!(suites.tag_name().name(), "testsuites");
    assert_eq!(attributes(&suites, &counts), ["3", "1", "1"]);
    let suite = suites.first_element_child().unwrap();
    assert_eq!(suite.tag_name().name(), "testsuite");
    assert_eq!(attributes(&suite, &["name", "tests", "failures", "errors"]), ["cases.yml", "3", "1", "1"]);
    let cases: Vec<Node> = suite.children().filter(Node::is_element).collect();
    let names: Vec<_> = cases.iter().map(|case| attributes(case, &["name", "classname"])).collect();
    assert_eq!(names, [["passes", "cases.yml"], ["fails", "cases.yml"], ["breaks", "cases.yml"]]);
    assert!(cases.iter().all(|case| case.tag_name().name() == "testcase"));
    assert!(cases[0].first_element_child().is_none());
    let failure = cases[1].first_element_child().unwrap();
    assert_eq!((failure.tag_name().name(), failure.attribute("type")), ("failure", Some("unexpected")));
    let message = failure.attribute("message").unwrap();
    assert_eq!(message, "unexpected: host_scan of 10.0.0.1 at 2.5 s (2023-11-14T22:13:22.500000Z)");
    let lines: Vec<&str> = failure.text().unwrap().lines().collect();
    assert_eq!(lines[0], message);
    assert!(lines[1].starts_with("  10.0.0.1 tried 20 hosts"), "{lines:?}");
    let error = cases[2].first_element_child().unwrap();
    assert_eq!((error.tag_name().name(), error.attribute("type")), ("error", Some("unreadable")));
    assert!(error.text().unwrap().contains("not a capture file"), "{error:?}");
}

#[test]
fn every_name_is_valid_xml() {
    let hostile = "<a href='x'>&amp;]]>\"\\e[31m\\0\\n\\u202e\\ufffe\\uffff\\ud7ff é 网";
    let text = format!("cases:\n  - name: \"{}\"\n    capture: sweep.pcap\n", hostile.replace('"', "\\\""));
    let text = written(&Cases::new(&text), 1);
    let document = Document::parse(&text).unwrap();
    let case = document.descendants().find(|node| node.has_tag_name("testcase")).unwrap();
    assert_eq!(
        case.attribute("name"),
        Some("<a href='x'>&amp;]]>\"\\u{1b}[31m\\u{0}\\n\\u{202e}\\u{fffe}\\u{ffff}\u{d7ff} é 网")
    );
}

#[test]
fn results_replace_those_of_an_earlier_run() {
    let cases = Cases::new(&case("sweep.pcap", SWEEP)).with("out.xml", "x".repeat(100_000));
    let text = written(&cases, 0);
    assert!(Document::parse(&text).is_ok(), "{text}");
}

#[test]
fn results_that_cannot_be_written_end_with_status_1() {
    let cases = Cases::new(&case("sweep.pcap", SWEEP));
    for file in ["nowhere/out.xml", "."] {
        let ended = cases.run(&["cases.yml", "--junit", file]);
        assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""), "{ended:?}");
        assert!(
            ended.messages.starts_with(&format!("trafficmonitor: {file}: cannot write the results: ")),
            "{ended:?}"
        );
    }
    let ended = cases.run(&["cases.yml", "--junit", "/dev/full"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.messages.contains("/dev/full: cannot write the results: No space left"), "{ended:?}");
}
