/**
 * The columns of each table: the API's name to sort by, a title, and the cell of a row.
 */

import type { ComponentChildren } from "preact";
import type { DeviceRow, FlowRow, HostRow, PairRow, ProtocolRow, ServiceRow } from "../api.ts";
import { interfaceWord, macWord, protocolWord } from "../filter.ts";
import { bytes, count, NONE, rate, shortened, visible, type Unit } from "../format.ts";
import { FilterLink, Host } from "../parts.tsx";
import type { TableName } from "../state.ts";
import { DIRECTION_NAMES, processText } from "../words.ts";
import { Ago, Bytes, end, origin, service, Time } from "./cells.tsx";
import type { Rows } from "./rows.ts";

export interface CellContext {
  unit: Unit;
  /** The traffic's present, in milliseconds. */
  now: number;
  /** The most bytes of a row, for the bars. */
  most: number;
}

export interface Column<Row> {
  key: string;
  title: string;
  kind: "text" | "number" | "time";
  cell(row: Row, context: CellContext): ComponentChildren;
  /** Left out where the page is narrow: 1 stays longest. */
  rank: 1 | 2 | 3;
  /** The API cannot sort by it. */
  isUnsorted?: boolean;
}

interface Traffic {
  bytes: number;
  packets: number;
  bytes_per_second: number;
  first_seen: string | null;
  last_seen: string | null;
}

const number = <Row,>(key: keyof Row & string, title: string, rank: 1 | 2 | 3): Column<Row> => ({
  key,
  title,
  rank,
  kind: "number",
  cell: (row) => count(row[key] as number),
});
const volume = <Row,>(key: keyof Row & string, title: string, rank: 1 | 2 | 3): Column<Row> => ({
  key,
  title,
  rank,
  kind: "number",
  cell: (row) => bytes(row[key] as number),
});

/** The columns that every table ends with. */
function traffic<Row extends Traffic>(): Column<Row>[] {
  return [
    {
      key: "bytes_per_second",
      title: "Rate",
      rank: 1,
      kind: "number",
      cell: (row, { unit }) => rate(row.bytes_per_second, unit),
    },
    {
      key: "bytes",
      title: "Bytes",
      rank: 1,
      kind: "number",
      cell: (row, { most }) => <Bytes value={row.bytes} most={most} />,
    },
    { key: "packets", title: "Packets", rank: 2, kind: "number", cell: (row) => count(row.packets) },
    {
      key: "first_seen",
      title: "First seen",
      rank: 3,
      kind: "time",
      cell: (row, { now }) => <Time at={row.first_seen} now={now} />,
    },
    {
      key: "last_seen",
      title: "Last seen",
      rank: 2,
      kind: "time",
      cell: (row, { now }) => <Ago at={row.last_seen} now={now} />,
    },
  ];
}

const AT_LEAST = "At least so many: peers within sums of small flows have no row and are not counted.";

/** The peers of a host or device; sums of small flows may hide some. */
const PEERS: Column<HostRow | DeviceRow> = {
  key: "peers",
  title: "Peers",
  rank: 3,
  kind: "number",
  cell: ({ peers, peers_is_lower_bound }) =>
    peers_is_lower_bound ? <span title={AT_LEAST}>{count(peers)}+</span> : count(peers),
};

const HOSTS: Column<HostRow>[] = [
  {
    key: "address",
    title: "Host",
    rank: 1,
    kind: "text",
    cell: (row) => (
      <>
        {row.alerts > 0 && (
          <span class="alert-mark" title="Has a firing alert" role="img" aria-label="Has a firing alert:">
            !
          </span>
        )}
        <Host address={row.address} name={row.name} />
      </>
    ),
  },
  { key: "organisation", title: "Origin", rank: 3, kind: "text", isUnsorted: true, cell: origin },
  volume("received_bytes", "Received", 2),
  volume("sent_bytes", "Sent", 2),
  PEERS as Column<HostRow>,
  ...traffic<HostRow>(),
];

const DEVICES: Column<DeviceRow>[] = [
  {
    key: "mac",
    title: "Device",
    rank: 1,
    kind: "text",
    cell: (row) => (
      <span class="host">
        {row.mac === null ? (
          <span class="muted">unknown MAC</span>
        ) : (
          <FilterLink word={macWord(row.mac)}>{visible(row.mac)}</FilterLink>
        )}
        {(row.name ?? row.vendor) !== null && <bdi class="name">{shortened(row.name ?? row.vendor ?? "", 40)}</bdi>}
      </span>
    ),
  },
  {
    key: "addresses",
    title: "Addresses",
    rank: 2,
    kind: "text",
    isUnsorted: true,
    cell: (row) => (
      <span class="addresses">
        {row.addresses.slice(0, 4).map((address) => (
          <Host key={address} address={address} name={null} />
        ))}
        {row.addresses.length > 4 && (
          <span class="muted" title={row.addresses.map(visible).join("\n")}>
            and {row.addresses.length - 4} more
          </span>
        )}
      </span>
    ),
  },
  {
    key: "vendor",
    title: "Vendor",
    rank: 3,
    kind: "text",
    cell: (row) => (row.vendor === null ? NONE : <bdi>{shortened(row.vendor, 32)}</bdi>),
  },
  volume("received_bytes", "Received", 2),
  volume("sent_bytes", "Sent", 2),
  PEERS as Column<DeviceRow>,
  ...traffic<DeviceRow>(),
];

const PAIRS: Column<PairRow>[] = [
  { key: "a", title: "Host A", rank: 1, kind: "text", cell: (row) => <Host address={row.a} name={row.a_name} /> },
  { key: "b", title: "Host B", rank: 1, kind: "text", cell: (row) => <Host address={row.b} name={row.b_name} /> },
  volume("a_to_b_bytes", "A → B", 2),
  volume("b_to_a_bytes", "B → A", 2),
  ...traffic<PairRow>(),
];

const FLOWS: Column<FlowRow>[] = [
  {
    key: "source",
    title: "Source",
    rank: 1,
    kind: "text",
    cell: (row) => end(row.source, row.source_name),
  },
  {
    key: "destination",
    title: "Destination",
    rank: 1,
    kind: "text",
    cell: (row) => end(row.destination, row.destination_name),
  },
  {
    key: "port",
    title: "Service",
    rank: 1,
    kind: "text",
    cell: (row) => (
      <>
        {service(row)}
        {row.reply && <span class="muted"> reply</span>}
      </>
    ),
  },
  {
    key: "direction",
    title: "Direction",
    rank: 3,
    kind: "text",
    cell: (row) => DIRECTION_NAMES[row.direction] ?? visible(row.direction),
  },
  {
    key: "interface",
    title: "Interface",
    rank: 3,
    kind: "text",
    cell: (row) =>
      row.interface === null ? (
        NONE
      ) : (
        <FilterLink word={interfaceWord(row.interface)}>{shortened(row.interface, 20)}</FilterLink>
      ),
  },
  {
    key: "process",
    title: "Process",
    rank: 3,
    kind: "text",
    isUnsorted: true,
    cell: ({ process }) => {
      if (process === null) return NONE;
      const text = processText(process);
      return <bdi title={visible(text)}>{shortened(text, 28)}</bdi>;
    },
  },
  ...traffic<FlowRow>(),
];

const SERVICES: Column<ServiceRow>[] = [
  { key: "port", title: "Service", rank: 1, kind: "text", cell: service },
  number("hosts", "Hosts", 2),
  ...traffic<ServiceRow>(),
];

const PROTOCOLS: Column<ProtocolRow>[] = [
  {
    key: "protocol",
    title: "Protocol",
    rank: 1,
    kind: "text",
    cell: (row) => <FilterLink word={protocolWord(row.protocol)}>{visible(row.protocol)}</FilterLink>,
  },
  { key: "number", title: "Number", rank: 2, kind: "number", cell: (row) => String(row.number) },
  ...traffic<ProtocolRow>(),
];

export interface TableShape<Row> {
  title: string;
  columns: Column<Row>[];
  keyOf(row: Row): string;
}

export const SHAPES: { [Name in TableName]: TableShape<Rows[Name]> } = {
  hosts: { title: "Hosts", columns: HOSTS, keyOf: (row) => row.address },
  devices: { title: "Local devices", columns: DEVICES, keyOf: (row) => row.mac ?? row.addresses.join(" ") },
  pairs: { title: "Pairs", columns: PAIRS, keyOf: (row) => `${row.a} ${row.b}` },
  flows: {
    title: "Flows",
    columns: FLOWS,
    keyOf: (row) =>
      [row.source, row.destination, row.protocol, row.port, row.service, row.reply, row.direction, row.interface].join(
        " ",
      ),
  },
  services: { title: "Services", columns: SERVICES, keyOf: (row) => `${row.protocol} ${row.port} ${row.service}` },
  protocols: { title: "Protocols", columns: PROTOCOLS, keyOf: (row) => row.protocol },
};

/** The shape of any table: its rows are those that the API gives for it. */
export const shapeOf = (table: TableName): TableShape<Traffic> => SHAPES[table] as unknown as TableShape<Traffic>;
