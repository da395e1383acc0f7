/**
 * The state of a view, as the fragment of the address has it. It takes and gives text and knows no element of the page.
 */

import type { Unit } from "./format.ts";
import { normal } from "./filter.ts";

export const RANGES = ["live", "5m", "1h", "all"] as const;
export type Range = (typeof RANGES)[number];

/** Seconds that the ranges cover; All covers everything. */
const COVERS: Record<Range, number> = { live: 60, "5m": 300, "1h": 3600, all: Number.POSITIVE_INFINITY };

/** The shortest range with all of the last `seconds`. */
export const shortestRange = (seconds: number): Range => RANGES.find((range) => COVERS[range] >= seconds) ?? "all";

export const TABLES = ["hosts", "devices", "pairs", "flows", "services", "protocols"] as const;
export type TableName = (typeof TABLES)[number];

export const CHARTS = ["force", "sankey"] as const;
export type ChartName = (typeof CHARTS)[number];

/** Most hosts of the chart. */
export const HOSTS = ["25", "100", "500"] as const;

/** Hosts that the chart folds: those below ChartMinBytes, or none for their size. */
export const FOLDS = ["limit", "none"] as const;

/** A chart, or the table with its figures. */
export const FORMS = ["chart", "table"] as const;
export type Form = (typeof FORMS)[number];

export interface View {
  range: Range;
  filter: string;
  table: TableName;
  /** A column of the table; empty for the table's own order. */
  sort: string;
  order: "desc" | "asc";
  search: string;
  chart: ChartName;
  /** The form of the network chart, and of the chart of traffic over time. */
  network: Form;
  traffic: Form;
  hosts: (typeof HOSTS)[number];
  fold: (typeof FOLDS)[number];
  unit: Unit;
  alerts: "active" | "resolved";
  /** The alert that is open, by its fingerprint and start; empty for none. */
  alert: string;
}

export const DEFAULTS: View = {
  range: "live",
  filter: "",
  table: "hosts",
  sort: "",
  order: "desc",
  search: "",
  chart: "force",
  network: "chart",
  traffic: "chart",
  hosts: "100",
  fold: "limit",
  unit: "bits",
  alerts: "active",
  alert: "",
};

/** A longer text would be refused by the API. */
const LONGEST = 1000;

function oneOf<T extends string>(text: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((value) => value === text) ?? otherwise;
}

/** The view of a fragment; unknown keys and wrong values count as absent. */
export function parse(fragment: string): View {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const text = (key: string): string => (given.get(key) ?? "").slice(0, LONGEST);
  return {
    range: oneOf(given.get("range"), RANGES, DEFAULTS.range),
    filter: normal(text("filter")),
    table: oneOf(given.get("table"), TABLES, DEFAULTS.table),
    sort: /^[a-z_]{0,40}$/.test(text("sort")) ? text("sort") : "",
    order: oneOf(given.get("order"), ["desc", "asc"] as const, DEFAULTS.order),
    search: text("search"),
    chart: oneOf(given.get("chart"), CHARTS, DEFAULTS.chart),
    network: oneOf(given.get("network"), FORMS, DEFAULTS.network),
    traffic: oneOf(given.get("traffic"), FORMS, DEFAULTS.traffic),
    hosts: oneOf(given.get("hosts"), HOSTS, DEFAULTS.hosts),
    fold: oneOf(given.get("fold"), FOLDS, DEFAULTS.fold),
    unit: oneOf(given.get("unit"), ["bits", "bytes"] as const, DEFAULTS.unit),
    alerts: oneOf(given.get("alerts"), ["active", "resolved"] as const, DEFAULTS.alerts),
    alert: /^[\w-]{0,80}$/.test(text("alert")) ? text("alert") : "",
  };
}

/** The fragment of a view, without what is as by default; empty or with its "#". */
export function fragment(view: View): string {
  const given = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS) as (keyof View)[]) {
    if (view[key] !== DEFAULTS[key]) given.set(key, view[key]);
  }
  const text = given.toString();
  return text === "" ? "" : `#${text}`;
}

export const sameView = (left: View, right: View): boolean => fragment(left) === fragment(right);
