/**
 * Expressions of PromQL for what a table shows. It takes rows and gives text, and knows no element of the page.
 */

import type { DeviceRow, FlowRow, HostRow, PairRow, ProtocolRow, ServiceRow } from "../api.ts";
import type { Unit } from "../format.ts";
import type { Range, TableName } from "../state.ts";
import { quoted, selectorsOf } from "./selectors.ts";

const FLOWS = "trafficmonitor_flow_bytes_total";
const HOSTS = "trafficmonitor_host_bytes_total";

/** A pattern that matches each of the texts and nothing else. */
const anyOf = (texts: string[]): string =>
  quoted(texts.map((text) => text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&")).join("|"));

// A rate needs a few scrapes: no range is below 5 minutes.
const WINDOWS: Record<Range, string> = { live: "5m", "5m": "5m", "1h": "1h", all: "1h" };

const perSecond = (series: string, range: Range): string => `rate(${series}[${WINDOWS[range]}])`;
const inUnit = (expression: string, unit: Unit): string => (unit === "bits" ? `8 * ${expression}` : expression);

type Rows = {
  hosts: HostRow;
  devices: DeviceRow;
  pairs: PairRow;
  flows: FlowRow;
  services: ServiceRow;
  protocols: ProtocolRow;
};

const OF_ROW: { [Name in TableName]: (row: Rows[Name], range: Range) => string } = {
  hosts: ({ address, is_local }, range) =>
    is_local
      ? `sum by (direction) (${perSecond(`${HOSTS}{host=${quoted(address)}}`, range)})`
      : `((sum(${perSecond(`${FLOWS}{source=${quoted(address)}}`, range)}) or vector(0)) + (sum(${perSecond(`${FLOWS}{destination=${quoted(address)}}`, range)}) or vector(0)))`,
  devices: ({ addresses }, range) => `sum by (direction) (${perSecond(`${HOSTS}{host=~${anyOf(addresses)}}`, range)})`,
  pairs: ({ a, b }, range) => {
    const both = anyOf([a, b]);
    return `sum by (source, destination) (${perSecond(`${FLOWS}{source=~${both},destination=~${both}}`, range)})`;
  },
  flows: ({ source, destination, protocol, port, reply }, range) => {
    const ofPort = port === null ? "" : `,port=${quoted(String(port))}`;
    // A sum of flows leaves out the ends in which they differ.
    const ends = [
      source === null ? "" : `source=${quoted(source)},`,
      destination === null ? "" : `destination=${quoted(destination)},`,
    ];
    const labels = `${ends.join("")}protocol=${quoted(protocol)}${ofPort},reply="${reply}"`;
    return `sum(${perSecond(`${FLOWS}{${labels}}`, range)})`;
  },
  services: ({ protocol, port }, range) => {
    const ofPort = port === null ? "" : `,port=${quoted(String(port))}`;
    return `sum(${perSecond(`${FLOWS}{protocol=${quoted(protocol)}${ofPort}}`, range)})`;
  },
  protocols: ({ protocol }, range) =>
    `sum by (direction) (${perSecond(`${FLOWS}{protocol=${quoted(protocol)}}`, range)})`,
};

/** The rates of the flows that match one of the lists of matchers, and `more`. */
const flowsOf = (alternatives: string[], range: Range, more = ""): string =>
  alternatives
    .map((list) => {
      const matchers = [list, more].filter((part) => part !== "").join(",");
      return perSecond(matchers === "" ? FLOWS : `${FLOWS}{${matchers}}`, range);
    })
    .join(" or ");

/** Rates by host, each flow at the ends that have one of the directions. */
function hostsOf(alternatives: string[], range: Range, sends: string, receives: string): string {
  // Labels of "or" must differ by the end, or one end of a flow would hide the other.
  const atEnd = (end: "source" | "destination", more: string): string =>
    `label_replace(${flowsOf(alternatives, range, more)}, "host", "$1", "${end}", "(.*)")`;
  return `topk(10, sum by (host) (${atEnd("source", sends)} or ${atEnd("destination", receives)}))`;
}

/** Without a filter, the counters of hosts: they have hosts whose flows have no row. */
const allHosts = (range: Range): string => `topk(10, sum by (host) (${perSecond(HOSTS, range)}))`;
const isAll = (alternatives: string[]): boolean => alternatives.every((list) => list === "");

const OF_TABLE: Record<TableName, (alternatives: string[], range: Range) => string> = {
  hosts: (some, range) => (isAll(some) ? allHosts(range) : hostsOf(some, range, "", "")),
  devices: (some, range) =>
    isAll(some) ? allHosts(range) : hostsOf(some, range, 'direction=~"outgoing|local"', 'direction=~"incoming|local"'),
  pairs: (some, range) => `topk(10, sum by (source, destination) (${flowsOf(some, range)}))`,
  flows: (some, range) => `topk(10, sum by (source, destination, protocol, port) (${flowsOf(some, range)}))`,
  services: (some, range) => `topk(10, sum by (protocol, port) (${flowsOf(some, range)}))`,
  protocols: (some, range) => `sum by (protocol) (${flowsOf(some, range)})`,
};

/** The rate of one row over time. */
export const ofRow = <Name extends TableName>(table: Name, row: Rows[Name], range: Range, unit: Unit): string =>
  inUnit(OF_ROW[table](row, range), unit);

export interface TableExpression {
  text: string;
  /** Kinds of words of the filter that the expression does not have. */
  without: string[];
}

/** The rates of the largest rows of the table under the filter. */
export function ofTable(table: TableName, range: Range, unit: Unit, filter: string): TableExpression {
  const { alternatives, without } = selectorsOf(filter);
  return { text: inUnit(OF_TABLE[table](alternatives, range), unit), without };
}

/** The page of a Prometheus that draws the expression; null where no Prometheus is configured. */
export function graphAddress(prometheus: string | null, expression: string): string | null {
  if (prometheus === null || !/^https?:\/\//i.test(prometheus)) return null;
  const query = new URLSearchParams({ "g0.expr": expression, "g0.tab": "0", "g0.range_input": "1h" });
  return `${prometheus.replace(/\/+$/, "")}/graph?${query.toString()}`;
}
