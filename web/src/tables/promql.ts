/**
 * Expressions of PromQL for what a table shows. It takes rows and gives text, and knows no element of the page.
 */

import type { Unit } from "../format.ts";
import type { Range, TableName } from "../state.ts";
import { product, quoted, selectorsOf } from "./selectors.ts";
import type { Rows } from "./rows.ts";

const FLOWS = "trafficmonitor_flow_bytes_total";
const HOSTS = "trafficmonitor_host_bytes_total";

/** A pattern that matches each of the texts and nothing else. */
const anyOf = (texts: string[]): string =>
  quoted(texts.map((text) => text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&")).join("|"));

// A rate needs a few scrapes: no range is below 5 minutes.
const WINDOWS: Record<Range, string> = { live: "5m", "5m": "5m", "1h": "1h", all: "1h" };

const perSecond = (series: string, range: Range): string => `rate(${series}[${WINDOWS[range]}])`;
const inUnit = (expression: string, unit: Unit): string => (unit === "bits" ? `8 * ${expression}` : expression);

const equal = (label: string, text: string): string => `${label}=${quoted(text)}`;
const atEnds = (matcher: string): string[][] => [[`source${matcher}`], [`destination${matcher}`]];
const ofService = (protocol: string, port: number | null): string[] => [
  equal("protocol", protocol),
  ...(port === null ? [] : [equal("port", String(port))]),
];

/** The flows of a row: the labels that their sum keeps, and lists of matchers, of which a flow has one. */
interface RowFlows {
  by: string[];
  lists: string[][];
}

const FLOWS_OF: { [Name in TableName]: (row: Rows[Name]) => RowFlows } = {
  hosts: ({ address }) => ({ by: ["direction"], lists: atEnds(`=${quoted(address)}`) }),
  devices: ({ addresses }) => ({ by: ["direction"], lists: atEnds(`=~${anyOf(addresses)}`) }),
  pairs: ({ a, b }) => ({
    by: ["source", "destination"],
    lists: [[`source=~${anyOf([a, b])}`, `destination=~${anyOf([a, b])}`]],
  }),
  flows: ({ source, destination, protocol, port, reply }) => {
    // A sum of flows leaves out the ends in which they differ.
    const ends = [
      ...(source === null ? [] : [equal("source", source)]),
      ...(destination === null ? [] : [equal("destination", destination)]),
    ];
    return { by: [], lists: [[...ends, ...ofService(protocol, port), equal("reply", String(reply))]] };
  },
  services: ({ protocol, port }) => ({ by: [], lists: [ofService(protocol, port)] }),
  protocols: ({ protocol }) => ({ by: ["direction"], lists: [ofService(protocol, null)] }),
};

/** The counters of some hosts, and the local flows that they receive. `is` and `isNot` are matchers of their addresses. */
const countersOf = (is: string, isNot: string, range: Range): string =>
  `${perSecond(`${HOSTS}{host${is}}`, range)} or ${perSecond(`${FLOWS}{destination${is},source${isNot},direction="local"}`, range)}`;

// Unlike flows, the counters of hosts have traffic without a row too. They count a packet once: at its local end, or at its
// source if both ends or none are local.
/** The rates of a row by the counters of hosts; null where they do not count it. */
const COUNTERS_OF: { [Name in TableName]?: (row: Rows[Name], range: Range) => string | null } = {
  hosts: ({ address, is_local }, range) =>
    is_local ? countersOf(`=${quoted(address)}`, `!=${quoted(address)}`, range) : null,
  devices: ({ addresses }, range) => countersOf(`=~${anyOf(addresses)}`, `!~${anyOf(addresses)}`, range),
};

const isAll = (alternatives: string[][]): boolean => alternatives.every((list) => list.length === 0);

/** The rates of the flows that match one of the lists of matchers, and `more`. */
const flowsOf = (alternatives: string[][], range: Range, ...more: string[]): string =>
  alternatives
    .map((list) => {
      const matchers = [...list, ...more].join(",");
      return perSecond(matchers === "" ? FLOWS : `${FLOWS}{${matchers}}`, range);
    })
    .join(" or ");

function rowExpression<Name extends TableName>(
  table: Name,
  row: Rows[Name],
  range: Range,
  alternatives: string[][],
): string {
  const { by, lists } = FLOWS_OF[table](row);
  const counters = isAll(alternatives) ? (COUNTERS_OF[table]?.(row, range) ?? null) : null;
  const rates = counters ?? flowsOf(product(lists, alternatives), range);
  return `sum${by.length === 0 ? "" : ` by (${by.join(", ")}) `}(${rates})`;
}

/** Rates of flows with the address of one end in the label `host`. */
const atEnd = (end: "source" | "destination", flows: string): string =>
  `label_replace(${flows}, "host", "$1", "${end}", "(.*)")`;

// Labels of "or" must differ by the end, or one end of a flow would hide the other.
const topHosts = (...rates: string[]): string => `topk(10, sum by (host) (${rates.join(" or ")}))`;

/** Rates by host: the counters of hosts, and the flows of the ends that they do not count. */
const allHosts = (range: Range): string =>
  topHosts(
    perSecond(HOSTS, range),
    atEnd("source", perSecond(`${FLOWS}{direction="incoming"}`, range)),
    atEnd("destination", perSecond(`${FLOWS}{direction!="incoming"}`, range)),
  );
const allDevices = (range: Range): string =>
  topHosts(
    perSecond(`${HOSTS}{direction!="transit"}`, range),
    atEnd("destination", perSecond(`${FLOWS}{direction="local"}`, range)),
  );

/** The same under a filter, whose labels the counters of hosts do not have. */
const hostsOf = (some: string[][], range: Range): string =>
  topHosts(atEnd("source", flowsOf(some, range)), atEnd("destination", flowsOf(some, range)));
const devicesOf = (some: string[][], range: Range): string =>
  topHosts(
    atEnd("source", flowsOf(some, range, 'direction=~"outgoing|local"')),
    atEnd("destination", flowsOf(some, range, 'direction=~"incoming|local"')),
  );

const OF_TABLE: Record<TableName, (alternatives: string[][], range: Range) => string> = {
  hosts: (some, range) => (isAll(some) ? allHosts(range) : hostsOf(some, range)),
  devices: (some, range) => (isAll(some) ? allDevices(range) : devicesOf(some, range)),
  pairs: (some, range) => `topk(10, sum by (source, destination) (${flowsOf(some, range)}))`,
  flows: (some, range) => `topk(10, sum by (source, destination, protocol, port) (${flowsOf(some, range)}))`,
  services: (some, range) => `topk(10, sum by (protocol, port) (${flowsOf(some, range)}))`,
  protocols: (some, range) => `sum by (protocol) (${flowsOf(some, range)})`,
};

/** The rate of one row over time, under the filter as far as labels can have it. */
export const ofRow = <Name extends TableName>(
  table: Name,
  row: Rows[Name],
  range: Range,
  unit: Unit,
  filter: string,
): string => inUnit(rowExpression(table, row, range, selectorsOf(filter).alternatives), unit);

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
