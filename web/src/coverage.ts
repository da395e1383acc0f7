/**
 * The part of the traffic that an answer of the API shows. It takes answers, gives bytes and rates, and knows no element of the
 * page.
 */

import type { Graph, History } from "./api.ts";

export interface Drawn {
  /** Bytes of the edges. */
  bytes: number;
  /** Bytes of all traffic that the chart stands for. */
  of: number;
}

/** `unlisted` is the traffic of the range without a row: it belongs to the whole if no filter is set. */
export function drawnOf(graph: Graph, unlisted: number): Drawn {
  const bytes = graph.edges.reduce((sum, edge) => sum + edge.bytes, 0);
  return { bytes, of: bytes + graph.left_out.bytes + unlisted };
}

/** Smallest share of the traffic that is worth a line. */
const WORTH_A_LINE = 0.01;

export const isWorthALine = (part: number, whole: number): boolean => part > 0 && part > WORTH_A_LINE * whole;

/** The highest rate of traffic without a row, in the cells of any of the charts; in bytes per second. */
export const mostUnlisted = (charts: (History | null)[]): number =>
  charts.flatMap((chart) => chart?.unlisted_bytes_per_second ?? []).reduce((most, value) => Math.max(most, value), 0);
