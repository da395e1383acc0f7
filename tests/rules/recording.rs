//! The recording rules for fleets, examples/recording.rules.yml: their names say what they keep and record, counters
//! become rates before they are summed, and each rule has a case for promtool.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{MetricKind, family, named, read, text, undeclared};

/// The label of a target that an operator adds, which no exporter declares.
const CLUSTER: &str = "by cluster";
/// The counters of a row, and of an instance, that a rate is made of.
const RATES: [&str; 2] = ["rate(", "increase("];

/// The name of a recording rule in its three parts, with its expression.
struct Rule {
    level: BTreeSet<String>,
    metric: String,
    operations: String,
    expression: String,
}

impl Rule {
    fn of(rule: &Value) -> Self {
        let name = text(&rule["record"]);
        let parts: Vec<&str> = name.split(':').collect();
        let [level, metric, operations] = parts[..] else { panic!("{name}: not level:metric:operations") };
        let level = level.split('_').map(str::to_owned).collect();
        Self { level, metric: metric.to_owned(), operations: operations.to_owned(), expression: text(&rule["expr"]) }
    }

    /// The family that it is named after; none for those of Prometheus.
    fn family(&self) -> Option<&'static super::Family> {
        family(&self.metric).or_else(|| family(&format!("{}_total", self.metric)))
    }

    /// The expression with the metric of each recorded series in place of its name.
    fn of_exporter(&self, rules: &[(String, Self)]) -> String {
        // The name of one can end in that of another.
        let mut rules: Vec<_> = rules.iter().collect();
        rules.sort_by_key(|(name, _)| Reverse(name.len()));
        rules.into_iter().fold(self.expression.clone(), |expression, (name, rule)| {
            expression.replace(name, rule.family().map_or(rule.metric.as_str(), |family| family.name))
        })
    }

    /// The label lists of its aggregations.
    fn groupings(&self) -> Vec<BTreeSet<String>> {
        let lists = self.expression.split(" by (").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        lists.map(|list| list.split(", ").map(str::to_owned).collect()).collect()
    }
}

/// Each rule by its name.
fn rules() -> Vec<(String, Rule)> {
    let file: Value = serde_saphyr::from_str(&read("examples/recording.rules.yml")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let rules: Vec<_> = rules.map(|rule| (text(&rule["record"]), Rule::of(rule))).collect();
    assert!(rules.len() > 25, "{}", rules.len());
    rules
}

#[test]
fn every_metric_of_a_recording_rule_is_declared() {
    let rules = rules();
    for (name, rule) in &rules {
        let expression = rule.of_exporter(&rules);
        let missing: Vec<String> = undeclared(&expression).into_iter().filter(|missing| missing != CLUSTER).collect();
        assert!(missing.is_empty(), "{name}: not declared: {missing:?}");
        let is_of_prometheus = ["up", "scrape_samples_scraped"].contains(&rule.metric.as_str());
        assert!(rule.family().is_some() || is_of_prometheus, "{name}: no such metric");
        assert!(named(&expression).metrics.keys().any(|metric| metric.starts_with(&rule.metric)), "{name}");
    }
}

#[test]
fn the_name_of_a_recording_rule_lists_the_labels_that_it_keeps() {
    for (name, rule) in rules() {
        let groupings = rule.groupings();
        assert!(groupings.contains(&rule.level), "{name}: groups by {groupings:?}");
        for labels in groupings {
            assert!(labels.contains("cluster") && labels.contains("job"), "{name}: mixes clusters or jobs: {labels:?}");
        }
    }
}

/// A restart of one exporter would be a fall of the sum, which is taken for a restart of all.
#[test]
fn counters_become_rates_before_they_are_summed() {
    let mut counters = 0;
    for (name, rule) in rules() {
        for metric in named(&rule.of_exporter(&[])).metrics.into_keys() {
            if family(&metric).is_none_or(|family| family.kind != MetricKind::Counter) {
                continue;
            }
            for (at, _) in rule.expression.match_indices(&metric) {
                let before = &rule.expression[..at];
                assert!(RATES.iter().any(|rate| before.ends_with(rate)), "{name}: {metric} is no rate: {before}");
                counters += 1;
            }
            let says = RATES.iter().any(|rate| rule.operations.contains(rate.trim_end_matches('(')));
            assert!(says || rule.operations.contains("ratio"), "{name} does not say that it is a rate");
        }
    }
    assert!(counters > 15, "{counters}");
}

/// A retired interface takes the counters of the one before, all at once.
#[test]
fn recording_rules_leave_retired_interfaces_out() {
    let mut found = 0;
    for (name, rule) in rules() {
        for part in rule.expression.split("trafficmonitor_capture_packets_").skip(1) {
            let Some((_, selector)) = part.split_once("_total") else { continue };
            let selector = selector.split(')').next().unwrap_or_default();
            assert!(selector.contains("interface!=\"retired\""), "{name}: {selector}");
            found += 1;
        }
    }
    assert!(found > 2, "{found}");
}

#[test]
fn every_recording_rule_has_a_case() {
    let cases = read("tests/rules/recording.test.yml");
    let expressions: Vec<&str> = cases.lines().filter(|line| line.contains("expr: ")).collect();
    let is_asked = |name: &str| {
        expressions.iter().any(|line| {
            line.match_indices(name).any(|(at, _)| {
                let neighbours = [line[..at].chars().next_back(), line[at + name.len()..].chars().next()];
                neighbours.iter().flatten().all(|sign| !sign.is_alphanumeric() && !"_:".contains(*sign))
            })
        })
    };
    for (name, _) in rules() {
        assert!(is_asked(&name), "tests/rules/recording.test.yml has no case of {name}");
    }
}
