/**
 * Names of what the API's keywords mean, for people.
 */

import type { Direction, Names, Process, Severity, Status } from "./api.ts";
import { count } from "./format.ts";
import type { Range } from "./state.ts";

export const DIRECTION_NAMES: Record<Direction, string> = {
  incoming: "Incoming",
  outgoing: "Outgoing",
  local: "Local",
  transit: "Transit",
};

export const DIRECTION_TITLES: Record<Direction, string> = {
  incoming: "From the Internet to the local networks",
  outgoing: "From the local networks to the Internet",
  local: "Within the local networks",
  transit: "Between addresses outside the local networks",
};

/** The traffic that a range covers, as part of a title. */
export const RANGE_NAMES: Record<Range, string> = {
  live: "last 60 s",
  "5m": "last 5 min",
  "1h": "last hour",
  all: "since the start",
};

export const SEVERITY_NAMES: Record<Severity, string> = { critical: "Critical", warning: "Warning", info: "Info" };
/** In place of an all-clear, if nothing looks for alerts. */
export const DETECTION_IS_OFF = "Detection is off: no alert can fire.";

/** In place of figures, if the filter is refused and there are none from before. */
export const NO_FIGURES = "No figures for this filter.";

/** In place of an all-clear, if the filter leaves active alerts out. */
export function outsideText(firing: number, pending: number): string {
  const parts = [
    firing > 0 ? `${count(firing)} ${firing === 1 ? "fires" : "fire"}` : "",
    pending > 0 ? `${count(pending)} ${pending === 1 ? "is" : "are"} pending` : "",
  ];
  return `No alert matches the filter; ${parts.filter((part) => part !== "").join(" and ")} outside of it.`;
}

export const STATUS_NAMES: Record<Status, string> = {
  ok: "OK",
  unknown: "Not known",
  warning: "Warning",
  critical: "Critical",
};

const KINDS: Record<string, string> = {
  bandwidth: "Bandwidth",
  host_scan: "Host scan",
  port_scan: "Port scan",
  group_scan: "Scan by a group",
  anomaly: "Anomaly",
  policy: "Source not permitted",
};

/** The name of an alert's kind; an unknown kind keeps its keyword. */
export const kindName = (kind: string): string => KINDS[kind] ?? kind.replaceAll("_", " ");

/** The country of an address, its owner, and the vendor of its interface; empty if none is known. */
export function originText({ country, asn, organisation, vendor }: Names): string {
  const parts = [country, asn === null ? null : `AS${asn}`, organisation, vendor];
  return parts.filter((part) => part !== null && part !== "").join(" ");
}

/** A process, with its container if it is in one. */
export const processText = ({ name, pid, container }: Process): string =>
  `${name} (${pid})${container === null ? "" : ` in ${container}`}`;
