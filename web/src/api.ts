/**
 * The exporter's API, version 1: the types of its answers and a client. It keeps the last answer of each address with its
 * ETag, and knows nothing of the page. All strings come from the network: they are text, never markup.
 */

export type Severity = "critical" | "warning" | "info";
export type Status = "ok" | "unknown" | "warning" | "critical";
export type Direction = "incoming" | "outgoing" | "local" | "transit";
export const DIRECTIONS: readonly Direction[] = ["incoming", "outgoing", "local", "transit"];

export interface Rate {
  bytes_per_second: number;
  packets_per_second: number;
}

export interface Snapshot {
  api: number;
  program: string;
  number: number;
  history: number;
  time: string;
  mode: "live" | "file";
  started: string;
  refresh_seconds: number;
  rate_seconds: number;
  rates: Record<Direction, Rate>;
  totals: Record<Direction, { bytes: number; packets: number }>;
  flows: number;
  hosts: number;
  alerts: { detects: boolean; pending: number; firing: number; severity: Severity | null };
  health: { status: Status; sentence: string };
  interfaces: string[];
  local_networks: string[];
  chart_min_bytes: number;
  prometheus_url: string | null;
}

export interface AlertMark {
  fingerprint: string;
  kind: string;
  severity: Severity;
  source: string | null;
  starts_at: string;
  ends_at: string | null;
}

export interface History {
  range: string;
  step_seconds: number;
  number: number;
  /** Unix seconds of each cell's start. */
  times: number[];
  bytes_per_second: Record<Direction, number[]>;
  packets_per_second: Record<Direction, number[]>;
  dropped: number[];
  unlisted_bytes_per_second: number[] | null;
  alerts: AlertMark[];
}

export interface Table<Row> {
  range: string;
  seconds: number;
  number: number;
  total_rows: number;
  rows: Row[];
  other: { bytes: number; packets: number };
}

export interface Names {
  dns: string | null;
  dhcp: string | null;
  vendor: string | null;
  mac: string | null;
  country: string | null;
  asn: number | null;
  organisation: string | null;
}

export interface Process {
  pid: number;
  name: string;
  container: string | null;
}

interface Traffic {
  bytes: number;
  packets: number;
  bytes_per_second: number;
  first_seen: string | null;
  last_seen: string | null;
}

export interface FlowRow extends Traffic {
  /** Null in a sum of flows of several senders. */
  source: string | null;
  /** Null in a sum of flows to several receivers. */
  destination: string | null;
  protocol: string;
  port: number | null;
  service: string | null;
  reply: boolean;
  direction: Direction;
  interface: string | null;
  packets_per_second: number;
  source_name: string | null;
  destination_name: string | null;
  process: Process | null;
}

export interface HostRow extends Traffic {
  address: string;
  is_local: boolean;
  name: string | null;
  names: Names;
  sent_bytes: number;
  received_bytes: number;
  peers: number;
  /** True if sums of small flows hide further peers. */
  peers_is_lower_bound: boolean;
  alerts: number;
}

export interface DeviceRow extends Traffic {
  /** Unknown where the neighbour table does not list the address. */
  mac: string | null;
  vendor: string | null;
  name: string | null;
  addresses: string[];
  sent_bytes: number;
  received_bytes: number;
  peers: number;
  /** True if sums of small flows hide further peers. */
  peers_is_lower_bound: boolean;
}

export interface PairRow extends Traffic {
  a: string;
  b: string;
  a_name: string | null;
  b_name: string | null;
  a_to_b_bytes: number;
  b_to_a_bytes: number;
}

export interface ServiceRow extends Traffic {
  protocol: string;
  port: number | null;
  service: string | null;
  hosts: number;
}

export interface ProtocolRow extends Traffic {
  protocol: string;
  number: number;
}

export interface GraphNode {
  id: number;
  address: string | null;
  name: string | null;
  is_local: boolean;
  is_other: boolean;
  /** The hosts that it stands for. */
  hosts: number;
  bytes: number;
  alerts: number;
}

export interface GraphEdge {
  source: number;
  target: number;
  bytes: number;
  packets: number;
  top: { protocol: string; port: number | null; service: string | null; bytes: number }[];
}

export interface Graph {
  range: string;
  seconds: number;
  number: number;
  min_bytes: number;
  /** Hosts without a node of their own, by the reason. */
  folded: { below_min_bytes: number; past_nodes: number };
  nodes: GraphNode[];
  edges: GraphEdge[];
  /** Traffic that no edge stands for. */
  left_out: { edges: number; bytes: number; packets: number };
}

export interface Alert {
  fingerprint: string;
  kind: string;
  rule: string;
  state: "pending" | "firing" | "resolved";
  severity: Severity;
  side: string;
  source: string | null;
  destination: string | null;
  network: string | null;
  source_name: string | null;
  source_names: Names | null;
  destination_name: string | null;
  destination_names: Names | null;
  starts_at: string;
  ends_at: string | null;
  sentence: string;
  explanation: string | null;
  value: number;
  limit: number;
  unit: string;
  peak: { value: number; limit: number; at: string } | null;
  /** Null for scans. */
  bytes: number | null;
  /** The contacts that a scan was found by. `tried` is the sum of `failed`, `touched` (answered, not used) and `used`. */
  scan: {
    targets: "hosts" | "ports";
    network: string | null;
    protocol: string | null;
    port: number | null;
    tried: number;
    failed: number;
    touched: number;
    used: number;
    is_estimate: boolean;
  } | null;
  first_targets: string[];
  last_targets: string[];
  /** What is known about the first and the last targets, by their text. */
  targets: { target: string; address: string; service: string | null; name: string | null; names: Names | null }[];
  /** Local processes that hold the conversations. */
  processes: Process[];
  timeline: { at: string; event: string }[];
  evidence_url: string | null;
  runbook_url: string | null;
  promql: string | null;
}

export interface Alerts {
  number: number;
  active: Alert[];
  resolved: Alert[];
  resolved_limit: number;
  resolved_forgotten: number;
}

export interface Health {
  status: Status;
  sentence: string;
  checks: { name: string; status: Status; sentence: string }[];
  interfaces: {
    name: string;
    /** A file is neither up nor down, and has no counters. */
    up: boolean | null;
    received: number | null;
    dropped_by_kernel: number | null;
    dropped_by_interface: number | null;
    coverage_ratio: number | null;
    frames: number;
    bytes: number;
  }[];
  memory: { part: string; bytes: number }[];
  uptime_seconds: number;
}

export interface Suggestions {
  suggestions: { text: string; label: string }[];
}

export type Parameters = Record<string, string | number>;

/** The address of a request below the API's folder. Empty values are left out. */
export function pathOf(name: string, parameters: Parameters = {}): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== "") given.set(key, String(value));
  }
  const query = given.toString();
  return query === "" ? name : `${name}?${query}`;
}

/** A request that failed, as a sentence for people. */
export class ApiError extends Error {
  /** The status of the answer; 0 where there was none. */
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

async function sentenceOf(response: Response): Promise<string> {
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "error" in body && typeof body.error === "string")
      return body.error;
  } catch {
    // A proxy between the two answers with a page of its own.
  }
  if (response.status === 401 || response.status === 403) return "The exporter refuses this user.";
  if (response.status === 503) return "The exporter is too busy to answer.";
  return `The exporter answered with status ${response.status}.`;
}

export type Fetch = (path: string, options: RequestInit) => Promise<Response>;

/** Answers that are kept for their ETag; the oldest leaves. */
const MOST_ANSWERS = 64;
/** Longest time for an answer, in milliseconds. */
const DEADLINE = 20_000;

export class Client {
  private readonly answers = new Map<string, { tag: string; body: unknown }>();
  private readonly base: string;
  private readonly fetch: Fetch;
  private readonly deadline: number;

  /** `base` is the address of the API's folder, with a slash at its end. */
  constructor(base: string, fetch: Fetch, deadline = DEADLINE) {
    this.base = base;
    this.fetch = fetch;
    this.deadline = deadline;
  }

  /** The answer, from the exporter or, where that has not changed, from the last time. Rejects with `ApiError`. */
  async get<T>(path: string, cancel?: AbortSignal): Promise<T> {
    const known = this.answers.get(path);
    const headers: Record<string, string> = { accept: "application/json" };
    if (known !== undefined) headers["if-none-match"] = known.tag;
    const timeout = AbortSignal.timeout(this.deadline);
    const signal = cancel === undefined ? timeout : AbortSignal.any([cancel, timeout]);
    let response: Response;
    try {
      response = await this.fetch(this.base + path, { headers, signal, cache: "no-store", credentials: "same-origin" });
      if (response.status === 304 && known !== undefined) return known.body as T;
      if (!response.ok) throw new ApiError(response.status, await sentenceOf(response));
      const body: unknown = await response.json();
      this.keep(path, response.headers.get("etag"), body);
      return body as T;
    } catch (error) {
      if (error instanceof ApiError || cancel?.aborted === true) throw error;
      if (timeout.aborted) throw new ApiError(0, `The exporter did not answer within ${this.deadline / 1000} s.`);
      if (error instanceof SyntaxError) throw new ApiError(0, "The exporter's answer is not JSON.");
      throw new ApiError(0, "The exporter cannot be reached.");
    }
  }

  /** After a restart of the exporter the tags of its answers mean something else. */
  forget(): void {
    this.answers.clear();
  }

  private keep(path: string, tag: string | null, body: unknown): void {
    this.answers.delete(path);
    if (tag === null) return;
    this.answers.set(path, { tag, body });
    for (const oldest of this.answers.keys()) {
      if (this.answers.size <= MOST_ANSWERS) break;
      this.answers.delete(oldest);
    }
  }
}
