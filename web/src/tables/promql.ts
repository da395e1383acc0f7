/**
 * Expressions of PromQL for what a table shows. It takes rows and gives text, and knows no element of the page.
 */

import type { DeviceRow, FlowRow, HostRow, PairRow, ProtocolRow, ServiceRow } from "../api.ts";
import type { Unit } from "../format.ts";
import type { Range, TableName } from "../state.ts";

const FLOWS = "trafficmonitor_flow_bytes_total";
const HOSTS = "trafficmonitor_host_bytes_total";

/** Text inside a label value. */
export const quoted = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;

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
    const labels = `source=${quoted(source)},destination=${quoted(destination)},protocol=${quoted(protocol)}${ofPort},reply="${reply}"`;
    return `sum(${perSecond(`${FLOWS}{${labels}}`, range)})`;
  },
  services: ({ protocol, port }, range) => {
    const ofPort = port === null ? "" : `,port=${quoted(String(port))}`;
    return `sum(${perSecond(`${FLOWS}{protocol=${quoted(protocol)}${ofPort}}`, range)})`;
  },
  protocols: ({ protocol }, range) =>
    `sum by (direction) (${perSecond(`${FLOWS}{protocol=${quoted(protocol)}}`, range)})`,
};

const OF_TABLE: Record<TableName, (range: Range) => string> = {
  hosts: (range) => `topk(10, sum by (host) (${perSecond(HOSTS, range)}))`,
  devices: (range) => `topk(10, sum by (host) (${perSecond(HOSTS, range)}))`,
  pairs: (range) => `topk(10, sum by (source, destination) (${perSecond(FLOWS, range)}))`,
  flows: (range) => `topk(10, sum by (source, destination, protocol, port) (${perSecond(FLOWS, range)}))`,
  services: (range) => `topk(10, sum by (protocol, port) (${perSecond(FLOWS, range)}))`,
  protocols: (range) => `sum by (protocol) (${perSecond(FLOWS, range)})`,
};

/** The rate of one row over time. */
export const ofRow = <Name extends TableName>(table: Name, row: Rows[Name], range: Range, unit: Unit): string =>
  inUnit(OF_ROW[table](row, range), unit);

/** The rates of the largest rows of the table. */
export const ofTable = (table: TableName, range: Range, unit: Unit): string => inUnit(OF_TABLE[table](range), unit);

/** The page of a Prometheus that draws the expression; null where no Prometheus is configured. */
export function graphAddress(prometheus: string | null, expression: string): string | null {
  if (prometheus === null || !/^https?:\/\//i.test(prometheus)) return null;
  const query = new URLSearchParams({ "g0.expr": expression, "g0.tab": "0", "g0.range_input": "1h" });
  return `${prometheus.replace(/\/+$/, "")}/graph?${query.toString()}`;
}
