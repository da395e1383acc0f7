/**
 * The top flows in three columns: senders, services, receivers. It takes an answer of the API, gives bands and boxes in pixels,
 * and knows no element of the page.
 */

import { sankey, sankeyLinkHorizontal, type SankeyLink, type SankeyNode } from "d3-sankey";
import type { Direction, Graph, GraphNode } from "../api.ts";
import { hostWord, portWord, protocolWord } from "../filter.ts";
import { nameOf } from "./canvas.ts";
import { keyOf, type Scene, type SceneEdge, sceneOf } from "./scene.ts";

/** Most boxes of a column. */
const MOST = 14;

interface BoxFields {
  key: string;
  column: 0 | 1 | 2;
  text: string;
  /** The words that a press adds to the filter; empty for what cannot be filtered by. */
  filterWords: string[];
  isLocal: boolean | null;
}

interface BandFields {
  direction: Direction;
}

export type Box = SankeyNode<BoxFields, BandFields>;
export type Band = SankeyLink<BoxFields, BandFields>;

export interface Bands {
  boxes: Box[];
  bands: Band[];
  /** The bytes of the edges that are shown. */
  bytes: number;
}

interface Part {
  from: GraphNode;
  to: GraphNode;
  fromText: string;
  toText: string;
  direction: Direction;
  service: string;
  serviceText: string;
  serviceWords: string[];
  bytes: number;
}

/** The largest edges, as long as their ends fit the columns. */
function topEdges(scene: Scene, most: number): SceneEdge[] {
  const senders = new Set<number>();
  const receivers = new Set<number>();
  const fits = (ends: Set<number>, end: number): boolean => ends.has(end) || ends.size < most;
  return scene.edges
    .filter(({ edge }) => edge.bytes > 0)
    .sort((left, right) => right.edge.bytes - left.edge.bytes)
    .filter(({ from, to }) => {
      if (!fits(senders, from) || !fits(receivers, to)) return false;
      senders.add(from);
      receivers.add(to);
      return true;
    });
}

function partsOf(scene: Scene, edges: SceneEdge[]): Part[] {
  return edges.flatMap(({ edge, from, to, direction }) => {
    const [source, target] = [scene.nodes[from]?.node, scene.nodes[to]?.node];
    if (source === undefined || target === undefined) return [];
    const ends = { from: source, to: target, fromText: nameOf(scene, from), toText: nameOf(scene, to), direction };
    const named = edge.top.map((top): Part => {
      const service = `${top.protocol}${top.port === null ? "" : `/${top.port}`}`;
      const serviceWords =
        top.port === null ? [protocolWord(top.protocol)] : [protocolWord(top.protocol), portWord(top.port)];
      return {
        ...ends,
        service,
        serviceText: top.service === null ? service : `${top.service} ${service}`,
        serviceWords,
        bytes: top.bytes,
      };
    });
    const rest = edge.bytes - named.reduce((sum, part) => sum + part.bytes, 0);
    const other: Part[] =
      rest > 0 ? [{ ...ends, service: "", serviceText: "other services", serviceWords: [], bytes: rest }] : [];
    return [...named, ...other];
  });
}

/** The services with the most bytes; the others are one box. */
function largestServices(parts: Part[], most: number): Set<string> {
  const sums = new Map<string, number>();
  for (const part of parts) sums.set(part.service, (sums.get(part.service) ?? 0) + part.bytes);
  return new Set(
    [...sums]
      .sort(([, left], [, right]) => right - left)
      .slice(0, most)
      .map(([key]) => key),
  );
}

export function bandsOf(graph: Graph, width: number, height: number): Bands {
  const most = Math.max(4, Math.min(MOST, Math.floor(height / 30)));
  const scene = sceneOf(graph);
  const edges = topEdges(scene, most);
  const parts = partsOf(scene, edges);
  const services = largestServices(parts, most);
  const bytes = edges.reduce((sum, { edge }) => sum + edge.bytes, 0);
  const boxes = new Map<string, BoxFields>();
  const bands = new Map<string, { source: string; target: string; value: number; direction: Direction }>();

  const host = (column: 0 | 2, node: GraphNode, text: string): string => {
    const key = `${column} ${keyOf(node)}`;
    const filterWords = node.address === null ? [] : [hostWord(node.address)];
    if (!boxes.has(key))
      boxes.set(key, { key, column, text, filterWords, isLocal: node.is_other ? null : node.is_local });
    return key;
  };
  const service = (part: Part): string => {
    const isShown = part.service !== "" && services.has(part.service);
    const key = isShown ? `1 ${part.service}` : "1";
    if (!boxes.has(key))
      boxes.set(key, {
        key,
        column: 1,
        text: isShown ? part.serviceText : "other services",
        filterWords: isShown ? part.serviceWords : [],
        isLocal: null,
      });
    return key;
  };
  const add = (source: string, target: string, part: Part): void => {
    const key = `${source}\n${target}\n${part.direction}`;
    const band = bands.get(key);
    if (band === undefined) bands.set(key, { source, target, value: part.bytes, direction: part.direction });
    else band.value += part.bytes;
  };
  for (const part of parts) {
    const middle = service(part);
    add(host(0, part.from, part.fromText), middle, part);
    add(middle, host(2, part.to, part.toText), part);
  }
  if (boxes.size === 0 || width <= 0 || height <= 0) return { boxes: [], bands: [], bytes };
  const { nodes, links } = sankey<BoxFields, BandFields>()
    .nodeId((box) => box.key)
    .nodeAlign((box) => box.column)
    .nodeWidth(10)
    .nodePadding(Math.max(6, Math.min(16, height / (most * 2.6))))
    .iterations(12)
    .extent([
      [1, 28],
      [width - 1, height - 10],
    ])({ nodes: [...boxes.values()], links: [...bands.values()] });
  return { boxes: nodes, bands: links, bytes };
}

/** The path of a band. */
export const pathOf = (band: Band): string => sankeyLinkHorizontal<BoxFields, BandFields>()(band) ?? "";

export const boxOf = (end: Band["source"]): Box | null => (typeof end === "object" ? (end as Box) : null);
