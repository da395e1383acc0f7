//! Grafana's dashboard as a file: it can be loaded, and every panel has a place and a description.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Grafana's grid has so many columns.
const COLUMNS: u64 = 24;

fn dashboard() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/trafficmonitor.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All panels, those of folded rows too.
fn panels(of: &Value) -> Vec<Value> {
    let panels = of["panels"].as_array().cloned().unwrap_or_default();
    let inner: Vec<Value> = panels.iter().flat_map(self::panels).collect();
    panels.into_iter().chain(inner).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn the_dashboard_can_be_loaded() {
    let dashboard = dashboard();
    assert!(!text(&dashboard, "title").is_empty());
    assert!(!text(&dashboard, "uid").is_empty() && text(&dashboard, "uid").len() <= 40);
    assert!(dashboard["schemaVersion"].as_u64().is_some());
    assert!(dashboard["id"].is_null(), "an id belongs to one database");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<&str> = variables.iter().map(|variable| text(variable, "name")).collect();
    assert_eq!(names, BTreeSet::from(["datasource", "instance", "interface"]));
}

#[test]
fn every_panel_has_an_id_of_its_own_and_a_description() {
    let panels = panels(&dashboard());
    assert!(panels.len() > 20, "{}", panels.len());
    let mut ids = BTreeMap::new();
    for panel in &panels {
        let id = panel["id"].as_u64().unwrap_or_else(|| panic!("no id: {panel}"));
        let title = text(panel, "title");
        assert!(!title.is_empty(), "{id} has no title");
        assert_eq!(ids.insert(id, title.to_owned()), None, "{id}");
        if text(panel, "type") != "row" {
            assert!(!text(panel, "description").is_empty(), "{id} ({title}) does not say what it shows");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{id} ({title}) shows nothing");
            let references: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
            assert_eq!(references.len(), targets.len(), "{id} ({title}): {references:?}");
            for target in targets {
                assert_eq!(text(&target["datasource"], "uid"), "${datasource}", "{id} ({title})");
            }
        }
    }
}

/// Columns and rows of the grid: from and up to.
#[derive(Debug)]
struct Place {
    columns: [u64; 2],
    rows: [u64; 2],
}

fn place(panel: &Value) -> Place {
    let number = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_else(|| panic!("no place: {panel}"));
    let [x, y, width, height] = ["x", "y", "w", "h"].map(number);
    assert!(width > 0 && height > 0 && x + width <= COLUMNS, "{panel}");
    Place { columns: [x, x + width], rows: [y, y + height] }
}

#[test]
fn no_panel_lies_over_another() {
    let places: Vec<Place> = dashboard()["panels"].as_array().unwrap().iter().map(place).collect();
    let overlap = |one: [u64; 2], other: [u64; 2]| one[0] < other[1] && other[0] < one[1];
    for (number, one) in places.iter().enumerate() {
        for other in &places[..number] {
            assert!(!(overlap(one.columns, other.columns) && overlap(one.rows, other.rows)), "{one:?} {other:?}");
        }
    }
}
