//! The alerting rules and the dashboards name metrics: each is declared by the exporter, with the labels that they ask
//! for. And each alert says what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/golden.rs"]
#[allow(dead_code, reason = "keeps a whole file only")]
mod golden;
#[path = "common/grafana.rs"]
mod grafana;
#[path = "rules/recording.rs"]
mod recording;
#[path = "common/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use grafana::{Asked, dashboards};
use serde_json::Value;
use source::{is_word, tokens};
use trafficmonitor::export::family::{ALL, Family, MetricKind};

/// Prometheus' own metrics with their labels, and the labels that it adds to all.
const OF_PROMETHEUS: [(&str, &[&str]); 4] = [
    ("up", &[]),
    ("scrape_duration_seconds", &[]),
    ("scrape_samples_scraped", &[]),
    ("ALERTS", &["alertname", "alertstate", "severity", "interface", "source", "destination"]),
];
const ADDED: [&str; 2] = ["instance", "job"];
/// Prefix of the metrics of the process, which another crate exports without labels.
const OF_PROCESS: &str = "process_";
/// The words between metrics.
const WORDS: [&str; 12] =
    ["and", "or", "unless", "bool", "offset", "on", "ignoring", "by", "without", "group_left", "group_right", "inf"];
/// The words that are followed by labels in parentheses.
const BEFORE_LABELS: [&str; 6] = ["on", "ignoring", "by", "without", "group_left", "group_right"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of an expression with the labels that are asked of each, and the labels that stand elsewhere in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    metrics: BTreeMap<String, BTreeSet<String>>,
    labels: BTreeSet<String>,
}

/// Reads PromQL as far as needed to distinguish metrics and labels from functions, numbers and texts.
fn named(expression: &str) -> Named {
    let expression = without_variables(expression);
    let tokens: Vec<&str> = expression.iter().map(String::as_str).collect();
    let mut named = Named::default();
    let mut at = 0;
    while at < tokens.len() {
        let (token, next) = (tokens[at], tokens.get(at + 1).copied().unwrap_or_default());
        let close = |sign: &str| at + tokens[at..].iter().position(|token| *token == sign).unwrap_or(tokens.len() - at);
        at = match token {
            "[" => close("]"),
            "{" => panic!("no metric in front of a brace: {tokens:?}"),
            _ if BEFORE_LABELS.contains(&token) && next == "(" => {
                let end = close(")");
                named.labels.extend(words(&tokens[at + 2..end]).map(str::to_owned));
                end
            }
            _ if !is_name(token) || WORDS.contains(&token) || ["(", "by", "without"].contains(&next) => at,
            _ => {
                let labels = named.metrics.entry(token.to_owned()).or_default();
                let end = if next == "{" { close("}") } else { at };
                labels.extend(words(&tokens[(at + 2).min(end)..end]).map(str::to_owned));
                end
            }
        } + 1;
    }
    named
}

/// The tokens without Grafana's `$variables`.
fn without_variables(expression: &str) -> Vec<String> {
    let tokens = tokens(expression);
    let is_kept = |number: &usize| tokens[*number] != "$" && (*number == 0 || tokens[number - 1] != "$");
    (0..tokens.len()).filter(is_kept).map(|number| tokens[number].clone()).collect()
}

fn is_name(token: &str) -> bool {
    is_word(token) && !token.starts_with(|first: char| first.is_ascii_digit())
}

fn words<'a>(tokens: &[&'a str]) -> impl Iterator<Item = &'a str> {
    tokens.iter().copied().filter(|token| is_name(token))
}

#[test]
fn metrics_and_labels_are_distinguished_from_the_words_around_them() {
    let expression = r#"8 * sum by (source) (rate(a_total{instance=~"$instance",reason="x{y}"}[5m])) / on (instance) group_left b > 1e3 and topk($n, c)"#;
    let set = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<_>>();
    let metrics = [("a_total", set(&["instance", "reason"])), ("b", set(&[])), ("c", set(&[]))];
    let metrics = metrics.into_iter().map(|(name, labels)| (name.to_owned(), labels)).collect();
    assert_eq!(named(expression), Named { metrics, labels: set(&["instance", "source"]) });
}

/// The family of a metric; of a histogram also its buckets, sum and count.
fn family(metric: &str) -> Option<&'static Family> {
    let is_part = |family: &Family| {
        let part = metric.strip_prefix(family.name).filter(|_| family.kind == MetricKind::Histogram);
        part.is_some_and(|part| ["_bucket", "_sum", "_count"].contains(&part))
    };
    ALL.iter().find(|family| family.name == metric || is_part(family))
}

/// Names in an expression that are not declared.
fn undeclared(expression: &str) -> Vec<String> {
    let named = named(expression);
    let mut undeclared = Vec::new();
    let mut known: BTreeSet<&str> = ADDED.into();
    for (metric, labels) in &named.metrics {
        let of_prometheus = OF_PROMETHEUS.iter().find(|(name, _)| name == metric).map(|(_, labels)| *labels);
        let labels_of_family = family(metric).map(|family| family.labels).or(of_prometheus);
        if labels_of_family.is_none() && !metric.starts_with(OF_PROCESS) {
            undeclared.push(metric.clone());
            continue;
        }
        let declared: BTreeSet<&str> = labels_of_family.unwrap_or_default().iter().copied().chain(ADDED).collect();
        let missing = labels.iter().filter(|label| !declared.contains(label.as_str()));
        undeclared.extend(missing.map(|label| format!("{metric}{{{label}}}")));
        known.extend(declared);
    }
    undeclared
        .extend(named.labels.iter().filter(|label| !known.contains(label.as_str())).map(|label| format!("by {label}")));
    undeclared
}

fn are_declared<'a>(expressions: impl IntoIterator<Item = &'a String>) {
    let undeclared: BTreeMap<&String, Vec<String>> = expressions
        .into_iter()
        .map(|expression| (expression, undeclared(expression)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    assert!(undeclared.is_empty(), "not declared in src/export/family.rs: {undeclared:#?}");
}

// ---- Rules ---------------------------------------------------------------------------------------------------------------

/// All rules, those that record as those that alert.
fn all_rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&read("alerts.rules.yml")).unwrap();
    let rules = file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
    rules.collect()
}

/// The alerting rules.
fn rules() -> Vec<Value> {
    all_rules().into_iter().filter(|rule| !rule["alert"].is_null()).collect()
}

/// The one place at which a user says where the runbooks are: the metric that the first rule records.
const RUNBOOKS: &str = "trafficmonitor:runbooks:info";
/// The words in front of the heading in each `runbook_url`.
const RUNBOOKS_URL: &str = r#"{{ range query "trafficmonitor:runbooks:info" }}{{ .Labels.url }}{{ end }}#"#;

#[test]
fn runbooks_are_at_one_absolute_address_that_is_set_at_the_top() {
    let recorded: Vec<Value> = all_rules().into_iter().filter(|rule| rule["record"] == RUNBOOKS).collect();
    assert_eq!(recorded.len(), 1);
    assert_eq!(all_rules()[0], recorded[0], "it stands at the top");
    let url = text(&recorded[0]["labels"]["url"]);
    let (host, path) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).unwrap();
    assert!(host.contains('.') && !path.contains('#'), "{url}");
    for rule in rules() {
        let url = text(&rule["annotations"]["runbook_url"]);
        assert!(url.starts_with(RUNBOOKS_URL), "{}: {url} is not under the address above", rule["alert"]);
    }
}

/// An alert that repeats one of the exporter's has its severity; the exporter is where that is configured.
#[test]
fn rules_about_detections_take_their_severity_and_give_their_figures() {
    let of_exporter = |rule: &Value| text(&rule["expr"]).starts_with("trafficmonitor_alert_value{kind=");
    let found: Vec<Value> = rules().into_iter().filter(of_exporter).collect();
    assert_eq!(found.len(), 7, "{found:?}");
    for rule in found {
        let (name, severity) = (text(&rule["alert"]), text(&rule["labels"]["severity"]));
        assert!(severity.contains("$labels.severity"), "{name}: {severity}");
        let description = text(&rule["annotations"]["description"]);
        for part in ["$value", "trafficmonitor_alert_limit", "trafficmonitor_alert_window_seconds"] {
            assert!(description.contains(part), "{name} does not give {part}");
        }
        let has_targets = name != "TrafficmonitorAnomaly";
        assert_eq!(description.contains("trafficmonitor_alert_target_info"), has_targets, "{name}");
    }
}

/// The metrics that a template asks for by `query`.
#[test]
fn every_metric_that_a_description_asks_for_is_declared() {
    let mut asked = 0;
    for rule in rules() {
        let annotations = rule["annotations"].as_object().unwrap().values().map(text).collect::<String>();
        for (at, _) in annotations.match_indices("\"trafficmonitor_") {
            let name: String =
                annotations[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            assert!(ALL.iter().any(|family| family.name == name), "{}: {name} is not declared", rule["alert"]);
            asked += 1;
        }
    }
    assert!(asked > 10, "{asked}");
}

/// Nothing of anomalies alerts unless anomalies raise alerts.
#[test]
fn rules_on_anomalies_ask_whether_anomalies_alert() {
    let of_anomalies: Vec<String> =
        rules().iter().map(|rule| text(&rule["expr"])).filter(|expr| expr.contains("anomaly")).collect();
    assert_eq!(of_anomalies.len(), 2);
    for expression in of_anomalies {
        let asks = expression.contains("trafficmonitor_anomaly_alerts == 1")
            || expression.contains("trafficmonitor_alert_firing{kind=\"anomaly\"} > 0");
        assert!(asks, "{expression}");
    }
}

#[test]
fn the_inhibit_rules_name_alerts_and_labels_that_exist() {
    let configuration: Value = serde_saphyr::from_str(&read("examples/alertmanager.yml")).unwrap();
    let names: BTreeSet<String> = rules().iter().map(|rule| text(&rule["alert"])).collect();
    let rules = configuration["inhibit_rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(text(&rules[0]["source_matchers"][0]), "alertname=\"TrafficmonitorBlockScan\"");
    assert_eq!(text(&rules[0]["target_matchers"][0]), "alertname=~\"TrafficmonitorHostScan|TrafficmonitorPortScan\"");
    for name in ["BlockScan", "HostScan", "PortScan"] {
        assert!(names.contains(&format!("Trafficmonitor{name}")));
    }
    assert_eq!(rules[0]["equal"], serde_json::json!(["instance", "source"]));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_metric_that_a_rule_names_is_declared() {
    let expressions: Vec<String> = rules().iter().map(|rule| text(&rule["expr"])).collect();
    assert!(expressions.len() > 10, "{expressions:?}");
    are_declared(&expressions);
}

// ---- The Prometheus operator ---------------------------------------------------------------------------------------------

const OF_THE_OPERATOR: &str = "examples/kubernetes/base/prometheusrule.yaml";
/// The text in front of the groups, which are indented below it.
const OBJECT: &str = "\
# The rules of alerts.rules.yml for the Prometheus operator. Written by `UPDATE_GOLDEN=1 cargo test --test rules`: change
# alerts.rules.yml instead. site/kustomization.yaml sets the `url` of the first rule.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: trafficmonitor
  labels:
    app.kubernetes.io/name: trafficmonitor
spec:
";

#[test]
fn rules_of_the_operator_are_those_of_prometheus() {
    let text = read("alerts.rules.yml");
    let groups = &text[text.find("\ngroups:\n").unwrap() + 1..];
    let indented = groups.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") });
    golden::is_document(OF_THE_OPERATOR, &format!("{OBJECT}{}", indented.collect::<String>()));
    let object: Value = serde_saphyr::from_str(&read(OF_THE_OPERATOR)).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(object["spec"], file);
}

#[test]
fn every_metric_of_the_exporter_in_the_rules_about_pods_is_declared() {
    let file: Value = serde_saphyr::from_str(&read("examples/kubernetes/base/prometheusrule-pods.yaml")).unwrap();
    let rules = file["spec"]["groups"][0]["rules"].as_array().unwrap();
    let metrics = rules.iter().flat_map(|rule| named(&text(&rule["expr"])).metrics.into_keys());
    let own: BTreeSet<String> = metrics.filter(|name| name.starts_with("trafficmonitor_")).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    assert_eq!(own.iter().find(|name| family(name).is_none()), None);
}

/// The lines of the blocks of a document that have this language, without comments.
fn lines_of(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let begin = format!("```{language}\n");
    let blocks = text.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let lines = blocks.flat_map(str::lines).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_metric_in_the_queries_of_the_documents_is_declared() {
    let readme = lines_of("README.md", "promql");
    assert_eq!(readme.len(), 5, "{readme:?}");
    let metrics = lines_of("docs/metrics.md", "promql");
    assert!(metrics.len() > 5, "{metrics:?}");
    are_declared(readme.iter().chain(&metrics));
}

#[test]
fn every_rule_has_severity_summary_and_advice() {
    let runbooks = read("docs/runbooks.md");
    let headings: BTreeSet<String> = runbooks
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|heading| heading.trim_matches('`').to_lowercase())
        .collect();
    for rule in rules() {
        let name = text(&rule["alert"]);
        let severity = text(&rule["labels"]["severity"]);
        let is_of_exporter = severity.contains("$labels.severity");
        assert!(is_of_exporter || ["info", "warning", "critical"].contains(&severity.as_str()), "{name}: {severity}");
        for annotation in ["summary", "description"] {
            assert!(!text(&rule["annotations"][annotation]).is_empty(), "{name} has no {annotation}");
        }
        let runbook = text(&rule["annotations"]["runbook_url"]);
        let heading = runbook.strip_prefix(RUNBOOKS_URL).unwrap_or_else(|| panic!("{name}: {runbook}"));
        assert!(headings.contains(heading), "{name}: docs/runbooks.md has no heading {heading}");
    }
}

#[test]
fn every_rule_is_tried_where_it_fires_and_where_it_does_not() {
    let cases: Value = serde_saphyr::from_str(&read("tests/rules/alerts.test.yml")).unwrap();
    let cases: Vec<String> = cases["tests"].as_array().unwrap().iter().map(|case| text(&case["name"])).collect();
    for rule in rules() {
        let name = text(&rule["alert"]);
        for case in [format!("{name} fires"), format!("{name} does not fire")] {
            let is_there = cases.iter().any(|tried| tried == &case || tried.starts_with(&format!("{case} ")));
            assert!(is_there, "tests/rules/alerts.test.yml has no case: {case}");
        }
    }
}

// ---- Dashboards ----------------------------------------------------------------------------------------------------------

/// All expressions of all dashboards.
fn asked() -> Vec<Asked> {
    let asked: Vec<Asked> = dashboards().iter().flat_map(|dashboard| dashboard.asked()).collect();
    assert!(asked.len() > 150, "{}", asked.len());
    asked
}

#[test]
fn every_metric_of_the_dashboards_is_declared() {
    let expressions: Vec<String> = asked().into_iter().map(|asked| asked.expression).collect();
    are_declared(&expressions);
}

#[test]
fn every_metric_of_the_dashboards_is_in_the_document() {
    let document = read("docs/metrics.md");
    let names: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    for Asked { place, expression, .. } in asked() {
        let metrics = named(&expression).metrics.into_keys();
        let of_exporter = metrics.filter(|metric| OF_PROMETHEUS.iter().all(|(name, _)| name != metric));
        for metric in of_exporter {
            let name = family(&metric).map_or(metric.as_str(), |family| family.name);
            assert!(names.contains(name), "{place}: docs/metrics.md has no {name}");
        }
    }
}

/// Otherwise the variable `instance` changes nothing, and metrics of other programs are counted too.
#[test]
fn every_metric_of_the_dashboards_is_that_of_the_chosen_instances() {
    for Asked { place, expression, .. } in asked() {
        let metrics = named(&expression).metrics;
        let is_variable = place.ends_with(": instance");
        for (metric, labels) in &metrics {
            assert!(is_variable || labels.contains("instance"), "{place}: {metric} of all instances");
        }
        let is_of_others = |metric: &String| family(metric).is_none() && metric != "ALERTS";
        let is_joined = expression.contains(" and on (instance, job) ") && expression.contains("build_info{");
        assert!(!metrics.keys().any(is_of_others) || is_joined, "{place}: counts other programs: {expression}");
    }
}

/// Gauges of an interface vanish with it. Counters move to `retired`, which no panel shows as an interface.
#[test]
fn every_metric_of_an_interface_is_that_of_the_chosen_ones() {
    let mut found = 0;
    for Asked { place, expression, .. } in asked() {
        for (metric, labels) in named(&expression).metrics {
            let Some(family) = family(&metric).filter(|family| family.labels.contains(&"interface")) else { continue };
            let is_variable = place.ends_with(": interface");
            assert!(labels.contains("interface"), "{place}: {metric} of all interfaces");
            assert!(is_variable || expression.contains("interface=~\"$interface\""), "{place}: {metric}");
            let is_counter = family.kind == MetricKind::Counter;
            assert!(
                !is_counter || expression.contains("interface!=\"retired\""),
                "{place}: {metric} of those that are gone"
            );
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}
