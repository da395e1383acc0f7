//! Grafana's dashboards as files: they can be loaded, lead to each other, and each panel says what it shows in a unit that
//! fits. The schema that Grafana publishes is asked by `scripts/grafana.sh`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/grafana.rs"]
mod grafana;

use std::collections::{BTreeMap, BTreeSet};

use grafana::{Dashboard, dashboards, folder, list, text, texts};
use serde_json::{Value, json};

/// Grafana's grid has so many columns.
const COLUMNS: u64 = 24;
/// The dashboard that people know by this name since the first release.
const OVERVIEW: &str = "trafficmonitor";
/// Grafana's own variables, as far as they are used.
const OF_GRAFANA: [&str; 5] = ["__all", "__rate_interval", "__range", "__value.text", "__url_time_range"];
/// The units that a panel may have: Grafana's names for bits and packets per second, decimal bytes, and so on.
const UNITS: [&str; 10] = ["bps", "pps", "cps", "reqps", "decbytes", "bytes", "percentunit", "s", "short", "none"];
/// Windows of rates and of sums over the time range.
const WINDOWS: [&str; 2] = ["$__rate_interval", "$__range"];

// ---- Whole dashboards ----------------------------------------------------------------------------------------------------

#[test]
fn every_dashboard_can_be_loaded() {
    let names: Vec<String> = dashboards().into_iter().map(|dashboard| dashboard.name).collect();
    assert_eq!(names, ["trafficmonitor-health", "trafficmonitor-hosts", "trafficmonitor-security", OVERVIEW]);
    let mut titles = BTreeSet::new();
    for Dashboard { name, json } in dashboards() {
        assert_eq!(text(&json, "uid"), name, "links go to the name of the file");
        assert!(name.len() <= 40, "{name}: Grafana takes no longer one");
        assert!(!text(&json, "description").is_empty(), "{name}");
        assert!(titles.insert(text(&json, "title").to_owned()), "{name}: Grafana refuses a second one of this title");
        assert!(json["schemaVersion"].as_u64().is_some_and(|version| version >= 38), "{name}");
        assert!(json["id"].is_null(), "{name}: an id belongs to one database");
        assert!(list(&json["tags"]).contains(&json!("trafficmonitor")), "{name}");
    }
}

/// The variables that a text uses, without the form in which each is written: `$name` and `${name:form}`.
fn used(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    let name = |rest: &str| rest.trim_start_matches('{').chars().take_while(|letter| is_part(*letter)).collect();
    text.split('$').skip(1).map(name).collect()
}

#[test]
fn variables_are_found_in_each_form() {
    let text = "a{b=~\"$instance\"}[$__range] /d/x?${datasource:queryparam}&var-h=${__value.text}";
    let names = ["__range", "__value.text", "datasource", "instance"];
    assert_eq!(used(text), names.map(str::to_owned).into());
}

#[test]
fn every_variable_is_declared_and_used() {
    for dashboard in dashboards() {
        let name = &dashboard.name;
        let declared: BTreeSet<String> =
            dashboard.variables().iter().map(|variable| text(variable, "name").to_owned()).collect();
        for needed in ["datasource", "instance", "interface"] {
            assert!(declared.contains(needed), "{name} has no variable {needed}");
        }
        let mut asked = used(&dashboard.json.to_string());
        asked.retain(|name| !OF_GRAFANA.contains(&name.as_str()));
        assert_eq!(asked, declared, "{name}");
        let in_panels: BTreeSet<String> = dashboard
            .graphs()
            .iter()
            .flat_map(|panel| list(&panel["targets"]))
            .flat_map(|target| used(&target.to_string()))
            .collect();
        let idle: Vec<&String> = declared.iter().filter(|variable| !in_panels.contains(*variable)).collect();
        assert!(idle.is_empty(), "{name}: no panel changes with {idle:?}");
    }
}

/// Everything comes from the chosen data source.
#[test]
fn every_query_goes_to_the_chosen_data_source() {
    for dashboard in dashboards() {
        let (name, panels) = (&dashboard.name, dashboard.graphs());
        let targets = panels.iter().flat_map(|panel| list(&panel["targets"]));
        let variables = dashboard.variables().iter().filter(|variable| text(variable, "type") == "query");
        let asking = panels.iter().copied().chain(targets).chain(dashboard.annotations()).chain(variables);
        for one in asking {
            assert_eq!(one["datasource"], json!({"type": "prometheus", "uid": "${datasource}"}), "{name}: {one}");
        }
    }
}

// ---- Links ---------------------------------------------------------------------------------------------------------------

/// All URLs of a dashboard, in links of the dashboard, of panels and of cells.
fn urls(dashboard: &Dashboard) -> BTreeSet<String> {
    texts(&dashboard.json, "url")
}

#[test]
fn every_dashboard_leads_to_all_others() {
    let names: BTreeSet<String> = dashboards().into_iter().map(|dashboard| dashboard.name).collect();
    for Dashboard { name, json } in dashboards() {
        let links = list(&json["links"]);
        let mut reached: BTreeSet<String> =
            links.iter().map(|link| text(link, "url").strip_prefix("/d/").unwrap().to_owned()).collect();
        assert_eq!(reached.len(), links.len(), "{name}: {links:?}");
        assert!(reached.insert(name.clone()), "{name} leads to itself");
        assert_eq!(reached, names, "{name}");
        for link in links {
            let keeps = (&link["includeVars"], &link["keepTime"]);
            assert_eq!(keeps, (&json!(true), &json!(true)), "{name}: {link} forgets the choice or the time");
        }
    }
}

#[test]
fn every_link_leads_to_a_dashboard_that_has_its_variables() {
    let variables: BTreeMap<String, BTreeSet<String>> = dashboards()
        .into_iter()
        .map(|dashboard| {
            let names = dashboard.variables().iter().map(|variable| text(variable, "name").to_owned());
            (dashboard.name.clone(), names.collect())
        })
        .collect();
    for dashboard in dashboards() {
        let urls = urls(&dashboard);
        assert!(urls.len() > 2, "{urls:?}");
        for url in urls {
            let (target, query) = url.split_once('?').unwrap_or((&url, ""));
            let known = variables.get(target.strip_prefix("/d/").unwrap());
            let known = known.unwrap_or_else(|| panic!("{}: {url} leads nowhere", dashboard.name));
            for part in query.split('&').filter(|part| !part.is_empty()) {
                let given = part.strip_prefix("var-").and_then(|part| part.split('=').next());
                let given = given.or_else(|| part.strip_prefix("${")?.strip_suffix(":queryparam}"));
                let is_known = given.is_some_and(|name| known.contains(name)) || part == "${__url_time_range}";
                assert!(is_known, "{}: {target} does not know {part}", dashboard.name);
            }
        }
    }
}

// ---- Panels --------------------------------------------------------------------------------------------------------------

#[test]
fn every_panel_has_an_id_of_its_own_and_says_what_it_shows() {
    for dashboard in dashboards() {
        let name = &dashboard.name;
        let mut ids = BTreeMap::new();
        for panel in dashboard.panels() {
            let place = dashboard.place(panel);
            assert!(!text(panel, "title").is_empty(), "{name}: {panel} has no title");
            let id = panel["id"].as_u64().unwrap_or_else(|| panic!("{place} has no id"));
            assert_eq!(ids.insert(id, place.clone()), None, "{place}");
        }
        assert!(dashboard.graphs().len() > 10, "{name}");
        for panel in dashboard.graphs() {
            let place = dashboard.place(panel);
            let description = text(panel, "description");
            assert!(description.ends_with('.') && description.contains(' '), "{place} does not say what it shows");
            let targets = list(&panel["targets"]);
            assert!(!targets.is_empty(), "{place} shows nothing");
            let references: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
            assert_eq!(references.len(), targets.len(), "{place}: {references:?}");
        }
    }
}

/// The units of a panel: that of all fields, and those of single ones.
fn units(panel: &Value) -> BTreeSet<String> {
    let overrides = list(&panel["fieldConfig"]["overrides"]).iter().flat_map(|one| list(&one["properties"]));
    let of_fields = overrides.filter(|property| text(property, "id") == "unit").map(|property| text(property, "value"));
    let of_all = panel["fieldConfig"]["defaults"]["unit"].as_str();
    of_fields.chain(of_all).map(str::to_owned).collect()
}

/// The unit that an expression asks for; none where it says nothing about that.
fn fitting_unit(expression: &str) -> Option<&'static str> {
    let is_share = expression.contains(" / ");
    let has = |part: &str| expression.contains(part);
    match () {
        () if expression.starts_with("8 * ") && has("rate(") => Some("bps"),
        () if is_share && has("bytes") && has("packets") => Some("decbytes"),
        () if has("wire_packets") && is_share => Some("none"),
        () if is_share || has("_ratio") || has("_probability") => Some("percentunit"),
        () if has("increase(") && has("_bytes_total") => Some("decbytes"),
        () if has("_pending_bytes") || has("_window_bytes") || has("_limit_bytes") => Some("decbytes"),
        () if has("_bytes{") => Some("bytes"),
        () if has("rate(") && has("_packets_total") => Some("pps"),
        () => None,
    }
}

/// Traffic per second is in bits, sums are in bytes. Memory is counted in powers of 1,024.
#[test]
fn every_panel_has_a_unit_that_fits() {
    for dashboard in dashboards() {
        for panel in dashboard.graphs() {
            let (place, units) = (dashboard.place(panel), units(panel));
            assert!(!units.is_empty(), "{place} has no unit");
            let unknown: Vec<&String> = units.iter().filter(|unit| !UNITS.contains(&unit.as_str())).collect();
            assert!(unknown.is_empty(), "{place}: {unknown:?}");
            let expressions: Vec<&str> = list(&panel["targets"]).iter().map(|target| text(target, "expr")).collect();
            for expression in &expressions {
                let is_rate_of_bytes = expression.contains("rate(") && expression.contains("bytes_total");
                let is_in_bits = expression.contains(" / ") || expression.starts_with("8 * ");
                assert!(!is_rate_of_bytes || is_in_bits, "{place}: bytes per second: {expression}");
            }
            let fitting: BTreeSet<Option<&str>> =
                expressions.iter().map(|expression| fitting_unit(expression)).collect();
            if let [Some(unit)] = Vec::from_iter(fitting)[..] {
                assert_eq!(units, BTreeSet::from([unit.to_owned()]), "{place}");
            }
        }
    }
}

/// A fixed window shows nothing where the scrape interval is longer.
#[test]
fn every_window_fits_the_scrape_interval_or_is_the_time_range() {
    let mut windows = 0;
    for dashboard in dashboards() {
        for asked in dashboard.asked() {
            for part in asked.expression.split('[').skip(1) {
                let window = part.split(']').next().unwrap();
                assert!(WINDOWS.contains(&window), "{}: [{window}]", asked.place);
                windows += 1;
            }
        }
    }
    assert!(windows > 50, "{windows}");
}

/// Colours by value: the first step has no lower end, and the others follow in order.
#[test]
fn thresholds_rise() {
    for dashboard in dashboards() {
        for panel in dashboard.graphs() {
            let place = dashboard.place(panel);
            let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
            let values: Vec<Option<f64>> = steps.iter().map(|step| step["value"].as_f64()).collect();
            assert!(values.iter().skip(1).all(Option::is_some) && values.is_sorted(), "{place}: {values:?}");
            assert!(values.first().is_none_or(Option::is_none), "{place}: {values:?}");
            assert!(text(panel, "type") != "stat" || !values.is_empty(), "{place} has no thresholds");
        }
    }
}

/// The columns that a table puts in order come from its expressions; those that it sorts by or formats are among them.
#[test]
fn every_column_of_a_table_comes_from_its_expressions() {
    let mut columns = 0;
    for dashboard in dashboards() {
        let panels = dashboard.graphs().into_iter().filter(|panel| text(panel, "type") == "table");
        for panel in panels {
            let place = dashboard.place(panel);
            let targets = list(&panel["targets"]);
            let organize = list(&panel["transformations"]).iter().find(|one| text(one, "id") == "organize").unwrap();
            let options = &organize["options"];
            let named = |column: &String| options["renameByName"][column].as_str().unwrap_or(column).to_owned();
            let names: BTreeSet<String> = options["indexByName"].as_object().unwrap().keys().map(named).collect();
            let overrides = list(&panel["fieldConfig"]["overrides"]).iter().map(|one| text(&one["matcher"], "options"));
            let sorted = list(&panel["options"]["sortBy"]).iter().map(|sort| text(sort, "displayName"));
            for name in overrides.chain(sorted) {
                assert!(names.contains(name), "{place} has no column {name}");
            }
            for column in options["indexByName"].as_object().unwrap().keys() {
                let comes = match column.strip_prefix("Value") {
                    Some("") => targets.len() == 1,
                    Some(of_target) => targets.iter().any(|target| of_target == format!(" #{}", text(target, "refId"))),
                    None => targets.iter().any(|target| {
                        let expression = text(target, "expr");
                        expression.contains("build_info{") || expression.contains(column.as_str())
                    }),
                };
                assert!(comes, "{place}: no expression gives {column}");
                columns += 1;
            }
        }
    }
    assert!(columns > 20, "{columns}");
}

// ---- Places --------------------------------------------------------------------------------------------------------------

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

fn lie_apart(panels: &[Value]) {
    let places: Vec<Place> = panels.iter().map(place).collect();
    let overlap = |one: [u64; 2], other: [u64; 2]| one[0] < other[1] && other[0] < one[1];
    for (number, one) in places.iter().enumerate() {
        for other in &places[..number] {
            assert!(!(overlap(one.columns, other.columns) && overlap(one.rows, other.rows)), "{one:?} {other:?}");
        }
    }
}

#[test]
fn no_panel_lies_over_another() {
    for Dashboard { json, .. } in dashboards() {
        let panels = list(&json["panels"]);
        lie_apart(panels);
        panels.iter().for_each(|row| lie_apart(list(&row["panels"])));
        let is_shown_and_folded = |row: &&Value| row["collapsed"] == false && !list(&row["panels"]).is_empty();
        assert_eq!(panels.iter().find(is_shown_and_folded), None, "an open row has no panels of its own");
    }
}

// ---- Provisioning --------------------------------------------------------------------------------------------------------

fn yaml(path: &std::path::Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The keys that Grafana reads of each entry.
fn has_only(entry: &Value, keys: &[&str]) {
    let unknown: Vec<&String> = entry.as_object().unwrap().keys().filter(|key| !keys.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "Grafana does not read {unknown:?}");
}

#[test]
fn provisioned_data_source_has_the_interval_of_the_scrape_job() {
    let file = yaml(&folder().join("provisioning/datasources/trafficmonitor.yml"));
    has_only(&file, &["apiVersion", "datasources"]);
    assert_eq!(file["apiVersion"], 1);
    let [source] = list(&file["datasources"]) else { panic!("{file}") };
    has_only(source, &["name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData"]);
    assert_eq!((text(source, "type"), text(source, "access")), ("prometheus", "proxy"));
    has_only(&source["jsonData"], &["httpMethod", "timeInterval"]);
    let prometheus = yaml(&folder().with_file_name("examples").join("prometheus.yml"));
    assert_eq!(source["jsonData"]["timeInterval"], prometheus["global"]["scrape_interval"]);
}

#[test]
fn provisioned_folder_is_the_one_that_the_document_names() {
    let file = yaml(&folder().join("provisioning/dashboards/trafficmonitor.yml"));
    has_only(&file, &["apiVersion", "providers"]);
    assert_eq!(file["apiVersion"], 1);
    let [provider] = list(&file["providers"]) else { panic!("{file}") };
    has_only(provider, &["name", "type", "folder", "folderUid", "updateIntervalSeconds", "allowUiUpdates", "options"]);
    assert_eq!(text(provider, "type"), "file");
    has_only(&provider["options"], &["path"]);
    let document = std::fs::read_to_string(folder().with_file_name("docs").join("grafana.md")).unwrap();
    let path = text(&provider["options"], "path");
    assert!(path.starts_with('/') && document.contains(path), "docs/grafana.md does not name {path}");
}
