/**
 * Rows in words, for people who hear the page. It takes rows and gives text, and knows no element of the page.
 */

import type { FlowRow, ServiceRow } from "../api.ts";
import type { TableName } from "../state.ts";
import type { Rows } from "./rows.ts";

/** Protocols that have ports. */
const HAVE_PORTS = ["tcp", "udp", "sctp", "dccp", "udplite"];

/** The service of a row without a port, which may be a sum of several ports. */
export const sumName = (protocol: string, service: string): string =>
  service === "other" && HAVE_PORTS.includes(protocol) ? "other ports" : service;

function serviceLabel({ protocol, port, service }: ServiceRow | FlowRow): string {
  if (port !== null) return `${protocol}/${port}${service === null ? "" : ` ${service}`}`;
  return service === null ? protocol : `${protocol} ${sumName(protocol, service)}`;
}

function flowLabel(row: FlowRow): string {
  const parts = [
    `${row.source ?? "other"} to ${row.destination ?? "other"}`,
    serviceLabel(row),
    row.reply ? "reply" : "",
    row.direction,
    row.interface === null ? "" : `at ${row.interface}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

const LABELS: { [Name in TableName]: (row: Rows[Name]) => string } = {
  hosts: ({ address }) => address,
  devices: ({ name, mac, addresses }) => name ?? mac ?? addresses.join(", "),
  pairs: ({ a, b }) => `${a} and ${b}`,
  flows: flowLabel,
  services: serviceLabel,
  protocols: ({ protocol }) => protocol,
};

export const labelOf = <Name extends TableName>(table: Name, row: Rows[Name]): string => LABELS[table](row);
