/**
 * All that the page shows, as signals: the view of the address, the last snapshot, the answers of the API. It knows no element
 * of the page.
 */

import { computed, effect, signal } from "@preact/signals";
import {
  Client,
  pathOf,
  type Alerts,
  type Direction,
  DIRECTIONS,
  type Graph,
  type Health,
  type History,
  type HostRow,
  type Rate,
  type Snapshot,
  type Table,
} from "./api.ts";
import { interfaceWords } from "./filter.ts";
import { FilterCheck } from "./filter_check.ts";
import { clock, moment } from "./format.ts";
import { Query, type Question } from "./query.ts";
import { fragment, parse, sameView, type Range, type View } from "./state.ts";
import { SnapshotStream, type Link, type Source } from "./stream.ts";

// ---- The view, in the fragment of the address ----

export const view = signal<View>(parse(location.hash));

/** Changes the view. A change that a person would want to take back gets an entry of its own in the browser's history. */
export function show(change: Partial<View>, entry: "new" | "same" = "new"): void {
  const next = { ...view.peek(), ...change };
  if (sameView(next, view.peek())) return;
  const address = location.pathname + location.search + fragment(next);
  if (entry === "new") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  view.value = next;
}

function followAddress(): void {
  const next = parse(location.hash);
  if (!sameView(next, view.peek())) view.value = next;
}

// ---- The exporter ----

// Relative, so that the page works behind a proxy with a prefix.
export const API = new URL("api/v1/", location.href).href;
export const client = new Client(API, (path, options) => fetch(path, options));

export const snapshot = signal<Snapshot | null>(null);
/** Milliseconds of the browser's clock when the last snapshot arrived. */
export const received = signal(0);
export const link = signal<{ state: Link; sentence: string | null }>({ state: "connecting", sentence: null });
/** Milliseconds of the browser's clock, renewed each second. */
export const now = signal(Date.now());
/** The moment at which the page was paused, in milliseconds; null while it is not. */
export const paused = signal<number | null>(null);
/** The page was made for another version of the exporter. */
export const isOutdated = signal(false);

/** The snapshot whose figures are shown: while paused, that of the moment of the pause. */
export const shown = signal<Snapshot | null>(null);

/** The traffic's own present, in milliseconds: for a file that of the capture. */
export const trafficNow = computed(() => {
  const time = moment(shown.value?.time ?? null);
  if (time === null) return now.value;
  if (shown.value?.mode === "file" || paused.value !== null) return time;
  return time + Math.max(0, now.value - received.value);
});

/** Seconds since the figures were last known to be true; 0 while the exporter answers. */
export const age = computed(() =>
  link.value.state === "lost" && received.value > 0 ? Math.max(0, Math.round((now.value - received.value) / 1000)) : 0,
);

export function togglePause(): void {
  paused.value = paused.peek() === null ? Date.now() : null;
  if (paused.peek() === null) {
    shown.value = snapshot.peek();
    for (const query of queries) query.again();
  }
}

// ---- Questions ----

/** Milliseconds between two requests for tables: a row changes with its cell, and a request costs the exporter work. */
const EVERY: Record<Range, number> = { live: 5_000, "5m": 10_000, "1h": 30_000, all: 10_000 };

const queries: Query<unknown>[] = [];

function ask<T>(question: Question): Query<T> {
  const query = new Query<T>(client, question);
  queries.push(query as Query<unknown>);
  return query;
}

const check = new FilterCheck(client, view);
const filter = computed(() => view.value.filter);
const hosts = computed(() => view.value.hosts);
const fold = computed(() => view.value.fold);
export const alertList = computed(() => view.value.alerts);
/** The sentence about a filter that the range cannot have, or null. */
export function refusal(range: Range, filter: string): string | null {
  const refused = range === "all" ? interfaceWords(filter) : [];
  if (refused.length === 0) return null;
  return `The range All has no interfaces: choose a shorter range, or remove ${refused.join(" ")}.`;
}
/** The refusal of the view. The API would refuse its questions about flows, so that they are not asked. */
export const impossible = computed(() => refusal(view.value.range, view.value.filter));
/** The sentence about a filter that the page cannot have figures of, or null. */
export const refused = computed(() => impossible.value ?? check.refusal.value);

type PathOfScope = (range: Range, filter: string) => string;
/** The path of a question about flows; null while the filter is refused, or not known to be right. */
function scoped(path: PathOfScope): string | null {
  const scope = check.scope.value;
  return scope === null || check.refusal.value !== null ? null : path(scope.range, scope.filter);
}
/** The same, for questions that refuse interfaces of the range All. */
function possible(path: PathOfScope): string | null {
  const scope = check.scope.value;
  if (impossible.value !== null || scope === null || refusal(scope.range, scope.filter) !== null) return null;
  return scoped(path);
}
/** The filter of the alerts that are listed: none while it is refused, so that it hides no alert. Null until it is known. */
const alertFilter = computed(() => (check.refusal.value === null ? (check.scope.value?.filter ?? null) : ""));
const alertPath = (state: View["alerts"], limit: number): string | null =>
  alertFilter.value === null ? null : pathOf("alerts", { state, filter: alertFilter.value, limit });
const traffic = (every: () => number, path: () => string | null): Question => ({ path, every, followsHistory: true });

/** The long chart: the last hour, or 5 minutes where the view asks for them. */
export const historyLong = ask<History>(
  traffic(
    () => 10_000,
    () => scoped((range, filter) => pathOf("history", { range: range === "5m" ? "5m" : "1h", filter })),
  ),
);
/** The last minute, in cells of 1 s. */
export const historyShort = ask<History>(
  traffic(
    () => (filter.peek() === "" ? 2_000 : 5_000),
    () => scoped((_, filter) => pathOf("history", { range: "live", filter })),
  ),
);
export const topHosts = ask<Table<HostRow>>(
  traffic(
    () => EVERY[view.peek().range],
    () => possible((range, filter) => pathOf("hosts", { range, filter, sort: "bytes", limit: 10 })),
  ),
);
export const graph = ask<Graph>(
  traffic(
    () => Math.max(5_000, EVERY[view.peek().range]),
    () =>
      possible((range, filter) => {
        const nodes = Number(hosts.value);
        const min_bytes = fold.value === "none" ? 0 : "";
        return pathOf("graph", { range, filter, min_bytes, nodes, edges: nodes * 4 });
      }),
  ),
);
/** The most active alerts that the API gives at once. */
export const MOST_ALERTS = 1000;
export const activeAlerts = ask<Alerts>({
  path: () => alertPath("active", MOST_ALERTS),
  every: () => 5_000,
  followsHistory: false,
});
/** Most resolved alerts that are asked for. */
export const resolvedLimit = signal(50);
export const resolvedAlerts = ask<Alerts>({
  path: () => (alertList.value === "resolved" ? alertPath("resolved", resolvedLimit.value) : null),
  every: () => 5_000,
  followsHistory: false,
});
export const isHealthOpen = signal(false);
export const health = ask<Health>({
  path: () => (isHealthOpen.value ? "health" : null),
  every: () => 5_000,
  followsHistory: false,
});

/** Milliseconds between two requests for the rows of a search: it asks for the whole table. */
const SEARCH_EVERY = 15_000;
/** True if the filter of the view is known to be right. */
export const isFilterRight = computed(
  () => check.refusal.value === null && check.scope.value?.filter === view.value.filter,
);
/** The part of a table that is asked for; set by the table's part of the page while the filter is right. */
export const tablePath = signal<string | null>(null);
export const table = ask<Table<unknown>>(
  traffic(
    () => Math.max(EVERY[view.peek().range], view.peek().search === "" ? 0 : SEARCH_EVERY),
    () => (refused.value === null ? tablePath.value : null),
  ),
);

/** The flows of the whole capture file, for the time that it covers; not asked for live traffic. */
export const wholeFile = ask<Table<HostRow>>(
  traffic(
    () => 30_000,
    () => (snapshot.value?.mode === "file" ? pathOf("hosts", { range: "all", limit: 1 }) : null),
  ),
);
/** True if panels show figures of another question than that of the view. */
export const hasOldFigures = computed(() =>
  [historyLong, historyShort, topHosts, graph, table].some(({ isOld, answer }) => isOld.value && answer.value !== null),
);
/**
 * Sentences of failed requests that concern more than one panel: those about the filter, and those of several requests. They
 * are said once, at the filter.
 */
export const commonTroubles = computed<string[]>(() => {
  const errors = queries.map((query) => query.error.value).filter((error) => error !== null);
  const common = [...new Set(errors)].filter(
    (error) => error.startsWith("filter: ") || errors.indexOf(error) !== errors.lastIndexOf(error),
  );
  return refused.value === null ? common : [refused.value, ...common];
});

/** These stay live while the page is paused: a pause must hide no alert. */
const ALWAYS = new Set<unknown>([activeAlerts, resolvedAlerts, health]);

/** The present rates: of all traffic from the snapshot; of the filter's as the mean of its last cells. */
export const rates = computed<Record<Direction, Rate> | null>(() => {
  if (filter.value === "") return shown.value?.rates ?? null;
  const cells = historyShort.answer.value;
  if (cells === null) return null;
  const mean = (values: number[]): number => {
    const last = values.slice(-5);
    return last.length === 0 ? 0 : last.reduce((sum, value) => sum + value, 0) / last.length;
  };
  const of = (direction: Direction): Rate => ({
    bytes_per_second: mean(cells.bytes_per_second[direction]),
    packets_per_second: mean(cells.packets_per_second[direction]),
  });
  return Object.fromEntries(DIRECTIONS.map((direction) => [direction, of(direction)])) as Record<Direction, Rate>;
});

// ---- Changes that are read out ----

/** A sentence for screen readers. */
export const announcement = signal("");
let known: Map<string, string> | null = null;
let knownPath = "";

function announceAlerts(): void {
  const answer = activeAlerts.answer.value;
  if (answer === null) return;
  const firing = new Map(
    answer.active.filter((alert) => alert.state === "firing").map((alert) => [alert.fingerprint, alert.sentence]),
  );
  const path = activeAlerts.answered.peek() ?? "";
  // Another filter shows other alerts: that is no change of theirs.
  if (known !== null && path === knownPath) {
    const fired = [...firing]
      .filter(([fingerprint]) => known?.has(fingerprint) === false)
      .map(([, sentence]) => `Alert: ${sentence}.`);
    const resolved = [...known]
      .filter(([fingerprint]) => !firing.has(fingerprint))
      .map(([, sentence]) => `Resolved: ${sentence}.`);
    const changes = [...fired, ...resolved];
    if (changes.length > 0) announcement.value = changes.slice(0, 3).join(" ");
  }
  known = firing;
  knownPath = path;
}

let knownStatus: string | null = null;

/** Says that the health of the capture has changed, or that the exporter answers no more. */
function announceHealth(): void {
  const isLost = link.value.state === "lost";
  const health = snapshot.value?.health ?? null;
  const status = isLost ? "lost" : (health?.status ?? null);
  if (status === null || status === knownStatus) return;
  if (knownStatus !== null)
    announcement.value = isLost ? "The exporter does not answer." : `Capture health: ${health?.sentence ?? status}`;
  knownStatus = status;
}

// ---- What drives it ----

function accept(next: Snapshot): void {
  const last = snapshot.peek();
  const restarted = last !== null && (last.started !== next.started || next.number < last.number);
  if (next.api !== 1 || (last !== null && last.program !== next.program)) isOutdated.value = true;
  received.value = Date.now();
  snapshot.value = next;
  if (paused.peek() === null || restarted) shown.value = next;
  if (restarted) {
    paused.value = null;
    known = null;
    client.forget();
    for (const query of queries) query.again();
  } else if (
    last !== null &&
    (last.alerts.firing !== next.alerts.firing || last.alerts.pending !== next.alerts.pending)
  ) {
    activeAlerts.again();
    resolvedAlerts.again();
  }
  askWhatIsDue();
}

function askWhatIsDue(): void {
  if (document.hidden || link.peek().state === "lost") return;
  for (const query of queries) {
    if (paused.peek() === null || ALWAYS.has(query)) query.tick(Date.now(), snapshot.peek()?.history ?? 0);
  }
}

const stream = new SnapshotStream({
  open: () => new EventSource(`${API}events`) as Source,
  poll: () => client.get<Snapshot>("snapshot"),
  now: () => Date.now(),
  onSnapshot: accept,
  onLink: (state, sentence) => {
    const wasLost = link.peek().state === "lost";
    link.value = { state, sentence };
    if (wasLost && state !== "lost") for (const query of queries) query.again();
  },
});

function tick(): void {
  now.value = Date.now();
  stream.tick();
  askWhatIsDue();
}

function followVisibility(): void {
  if (document.hidden) stream.rest();
  else {
    stream.start();
    tick();
  }
}

/** Begins to ask the exporter. */
export function start(): void {
  addEventListener("popstate", followAddress);
  addEventListener("hashchange", followAddress);
  document.addEventListener("visibilitychange", followVisibility);
  effect(announceAlerts);
  effect(announceHealth);
  // The stream may take a moment to open; the first view does not wait for it.
  void client.get<Snapshot>("snapshot").then(
    (first) => {
      if (snapshot.peek() === null) accept(first);
    },
    () => {},
  );
  followVisibility();
  setInterval(tick, 1000);
}

/** The sentence of the pause, or null. */
export const pauseSentence = computed(() => (paused.value === null ? null : `Paused at ${clock(paused.value)}`));
