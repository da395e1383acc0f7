/**
 * Values that several answers give together. It takes the signals of the store, gives signals, and knows no element of the page.
 */

import { computed } from "@preact/signals";
import type { Alerts } from "./api.ts";
import { drawnOf, type Drawn } from "./coverage.ts";
import { moment } from "./format.ts";
import type { Query } from "./query.ts";
import { activeAlerts, graph, MOST_ALERTS, snapshot, topHosts, view, wholeFile } from "./store.ts";

/** The first and the last time of a capture file, in milliseconds; the first is null until it is known. */
export const fileTimes = computed<{ first: number | null; last: number } | null>(() => {
  const last = moment(snapshot.value?.time ?? null);
  if (snapshot.value?.mode !== "file" || last === null) return null;
  const seconds = wholeFile.answer.value?.seconds ?? null;
  return { first: seconds === null ? null : last - seconds * 1000, last };
});

/** Bytes of the range without a row of their own, whatever the filter; null until they are known. */
export const unlisted = computed<number | null>(() => {
  const answer = topHosts.answer.value;
  return answer === null || answer.range !== graph.answer.value?.range ? null : answer.other.bytes;
});

/** The bytes that the network chart stands for. Without a row, the exporter cannot tell if traffic matches a filter. */
export const drawn = computed<Drawn | null>(() =>
  graph.answer.value === null
    ? null
    : drawnOf(graph.answer.value, view.value.filter === "" ? (unlisted.value ?? 0) : 0),
);

/** True if the alerts of an answer are those of a filter. The view may have another one by now. */
export const isFiltered = (query: Query<Alerts>): boolean => /[?&]filter=/.test(query.answered.value ?? "");

/** Active alerts that match the filter: the answer has no more than its limit of them. */
export const activeCounts = computed(() => {
  const active = activeAlerts.answer.value?.active ?? [];
  const listed = { firing: active.filter((alert) => alert.state === "firing").length, active: active.length };
  const counts = snapshot.value?.alerts;
  const isCut = active.length >= MOST_ALERTS;
  const all = { firing: counts?.firing ?? 0, active: (counts?.firing ?? 0) + (counts?.pending ?? 0) };
  return { listed, isCut, matching: isCut && !isFiltered(activeAlerts) && all.active > listed.active ? all : listed };
});

/** Active alerts outside the filter; unknown, and so 0, if the answer is cut. */
export const outside = computed(() => {
  const counts = snapshot.value?.alerts;
  const { listed, isCut } = activeCounts.value;
  if (!isFiltered(activeAlerts) || counts === undefined || isCut) return { firing: 0, pending: 0 };
  const pending = listed.active - listed.firing;
  return { firing: Math.max(0, counts.firing - listed.firing), pending: Math.max(0, counts.pending - pending) };
});
