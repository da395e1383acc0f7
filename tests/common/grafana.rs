//! Grafana's dashboards in `grafana/`: files → dashboards with their panels, expressions and variables. It must not know
//! what an expression means.

#![allow(dead_code, reason = "each test that includes this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of `grafana/`.
#[derive(Debug)]
pub struct Dashboard {
    /// The name of the file without `.json`.
    pub name: String,
    pub json: Value,
}

/// An expression, and the legend of its series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Dashboard and title of the panel, annotation or variable.
    pub place: String,
    pub expression: String,
    /// Empty for tables, annotations and variables.
    pub legend: String,
}

/// The folder of the dashboards.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

/// All dashboards, by name.
pub fn dashboards() -> Vec<Dashboard> {
    let paths = folder().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    let read = |path: PathBuf| Dashboard {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    paths.into_iter().map(read).collect()
}

/// The text behind a key; empty if there is none.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The members of an array; none if it is no array.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Dashboard {
    /// All panels, rows and the panels of folded rows too.
    pub fn panels(&self) -> Vec<&Value> {
        let panels = list(&self.json["panels"]).iter();
        panels.flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"]))).collect()
    }

    /// The panels that show something.
    pub fn graphs(&self) -> Vec<&Value> {
        self.panels().into_iter().filter(|panel| text(panel, "type") != "row").collect()
    }

    /// A panel for messages.
    pub fn place(&self, panel: &Value) -> String {
        format!("{}: {}", self.name, text(panel, "title"))
    }

    /// The variables.
    pub fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    /// The annotations that ask Prometheus.
    pub fn annotations(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["annotations"]["list"]).iter().filter(|annotation| annotation["builtIn"].is_null())
    }

    /// The expressions of panels, of annotations, and those that give the values of variables.
    pub fn asked(&self) -> Vec<Asked> {
        let of_panels = self.graphs().into_iter().flat_map(|panel| {
            list(&panel["targets"]).iter().map(|target| Asked {
                place: self.place(panel),
                expression: text(target, "expr").to_owned(),
                legend: text(target, "legendFormat").to_owned(),
            })
        });
        let without_legend = |name: &str, expression: String| Asked {
            place: format!("{}: {name}", self.name),
            expression,
            legend: String::new(),
        };
        let of_annotations = self
            .annotations()
            .map(|annotation| without_legend(text(annotation, "name"), text(&annotation["target"], "expr").to_owned()));
        let queries = self.variables().iter().filter(|variable| text(variable, "type") == "query");
        let of_variables = queries.map(|variable| {
            let query = text(&variable["query"], "query");
            let query = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')'));
            let (metric, label) = query.unwrap().rsplit_once(',').unwrap();
            without_legend(text(variable, "name"), format!("count by ({}) ({metric})", label.trim()))
        });
        of_panels.chain(of_annotations).chain(of_variables).collect()
    }
}

/// The texts behind a key, wherever it stands.
pub fn texts(value: &Value, key: &str) -> BTreeSet<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(|value| texts(value, key)).collect(),
        Value::Object(entries) => {
            let own = entries.get(key).and_then(Value::as_str).map(str::to_owned);
            entries.values().flat_map(|value| texts(value, key)).chain(own).collect()
        }
        _ => BTreeSet::new(),
    }
}
