/**
 * The hosts that the chart folds into “other”, in words. It takes an answer of the API, gives text, and knows no element of the
 * page.
 */

import type { Graph } from "../api.ts";
import { bytes, count, counted } from "../format.ts";

/** The hosts with a node of their own. */
export const charted = ({ nodes }: Graph): number => nodes.filter((node) => !node.is_other).length;

const limitOf = ({ min_bytes }: Graph): string => `${bytes(min_bytes)} (ChartMinBytes)`;

/** The reason that hosts have no node of their own; empty if all have one. */
export function reasonOf(graph: Graph): string {
  const { below_min_bytes, past_nodes } = graph.folded;
  const reasons = [
    below_min_bytes > 0 ? `below ${limitOf(graph)}` : "",
    past_nodes > 0 ? `past the largest ${count(charted(graph))}` : "",
  ];
  return reasons.filter((reason) => reason !== "").join(" or ");
}

/** Says why hosts below the limit are drawn: the exporter keeps the largest, those with alerts, and those of the filter. */
function keptSentence({ nodes, min_bytes }: Graph): string {
  const isKept = nodes.some((node) => !node.is_other && node.bytes < min_bytes);
  return isKept ? "; the largest hosts, and those with alerts or in the filter, are drawn all the same" : "";
}

/** The hosts that “other” stands for, in a sentence; empty if there are none. */
export function foldedSentence(graph: Graph): string {
  const { below_min_bytes, past_nodes } = graph.folded;
  if (below_min_bytes + past_nodes === 0)
    return graph.nodes.some((node) => node.is_other) ? "“Other” is an end of small flows that are added up." : "";
  if (charted(graph) === 0)
    return `No host has ${limitOf(graph)}: “other” stands for all ${counted(below_min_bytes, "host")}.`;
  const below = below_min_bytes > 0 ? `${counted(below_min_bytes, "host")} below ${limitOf(graph)}` : "";
  const past = past_nodes > 0 ? `${counted(past_nodes, "host")} past the largest ${count(charted(graph))}` : "";
  const kept = below === "" ? "" : keptSentence(graph);
  return `“Other” stands for ${[below, past].filter((part) => part !== "").join(" and ")}${kept}.`;
}

/** A sentence about traffic that no edge shows, as both of its ends are in “other”; empty if there are edges. */
export const withinOther = (graph: Graph): string =>
  graph.edges.length > 0 ? "" : `All traffic is within “other”: ${bytes(graph.left_out.bytes)}.`;
