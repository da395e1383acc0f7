/**
 * The network chart as numbers: what is drawn of an answer of the API, and which host or edge is at a point. It knows neither
 * the canvas nor the page.
 */

import type { Direction, Graph, GraphEdge, GraphNode } from "../api.ts";
import { reasonOf } from "./folded.ts";

export interface SceneNode {
  node: GraphNode;
  key: string;
  radius: number;
}

export interface SceneEdge {
  edge: GraphEdge;
  /** Indices of the hosts. */
  from: number;
  to: number;
  direction: Direction;
  width: number;
  /** One end stands for many hosts. */
  isOther: boolean;
}

/** Edges that look alike. */
export interface EdgeGroup {
  colour: Direction;
  /** The edges end at a node that stands for many hosts. */
  isOther: boolean;
  /** 0 is a line of one pixel of the screen. */
  width: number;
  indices: number[];
}

export interface Scene {
  nodes: SceneNode[];
  edges: SceneEdge[];
  /** Indices of the edges of each host. */
  edgesOf: number[][];
  /** In the order of drawing: what belongs to no single host lies below. */
  groups: EdgeGroup[];
  /** Indices of the hosts, those with the most bytes first. */
  largest: number[];
  /** The same in the order in which they get a name where there is room: firing hosts, then those that stand for many. */
  named: number[];
  /** The reason that hosts have no node of their own. */
  folded: string;
}

export type Hit = { kind: "node"; index: number } | { kind: "edge"; index: number };

export const EMPTY: Scene = { nodes: [], edges: [], edgesOf: [], groups: [], largest: [], named: [], folded: "" };

export function keyOf(node: GraphNode): string {
  return node.address ?? (node.is_local ? "other local" : "other remote");
}

function directionOf(from: GraphNode, to: GraphNode): Direction {
  if (from.is_local) return to.is_local ? "local" : "outgoing";
  return to.is_local ? "incoming" : "transit";
}

/** Radii for a chart of so many hosts, in CSS pixels. */
function radiusRange(hosts: number): [number, number] {
  return hosts > 250 ? [2.5, 10] : hosts > 60 ? [3, 14] : [4, 18];
}

/** Edges of about the same width look alike. */
const WIDTH_STEP = 0.8;
/** Narrower edges are lines of one pixel. */
const THIN = 1.6;
/** A wide curve costs a browser without a graphics processor 20 times as much as a line: only the largest are wide. */
const WIDE_EDGES = 160;

function groupsOf(edges: SceneEdge[]): EdgeGroup[] {
  const groups = new Map<string, EdgeGroup>();
  const hasSingles = edges.some((edge) => !edge.isOther);
  const narrowest = edges.map(({ width }) => width).sort((left, right) => right - left)[WIDE_EDGES] ?? 0;
  edges.forEach(({ direction, width, isOther }, index) => {
    const isThin = (isOther && hasSingles) || width < THIN || width < narrowest;
    const step = isThin ? 0 : Math.round(width / WIDTH_STEP);
    const key = `${direction} ${isOther} ${step}`;
    const group = groups.get(key) ?? { colour: direction, isOther, width: step * WIDTH_STEP, indices: [] };
    group.indices.push(index);
    groups.set(key, group);
  });
  const depth = ({ isOther, width }: EdgeGroup): number => (isOther ? 0 : 100) + width;
  return [...groups.values()].sort((left, right) => depth(left) - depth(right));
}

const scenes = new WeakMap<Graph, Scene>();

/** The scene of an answer; made once, as several parts of the page use it. */
export function sceneOf(graph: Graph): Scene {
  const scene = scenes.get(graph) ?? madeScene(graph);
  scenes.set(graph, scene);
  return scene;
}

/** The most bytes of what belongs to single hosts; of all if nothing does. */
function mostOf<T extends { bytes: number }>(all: T[], isOther: (one: T) => boolean): number {
  const singles = all.filter((one) => !isOther(one));
  return Math.max(1, ...(singles.length > 0 ? singles : all).map(({ bytes }) => bytes));
}

function madeScene(graph: Graph): Scene {
  const position = new Map(graph.nodes.map((node, index) => [node.id, index]));
  // The sum of many small hosts would make each single host look small.
  const isOther = (edge: GraphEdge): boolean =>
    [edge.source, edge.target].some((id) => graph.nodes[position.get(id) ?? -1]?.is_other === true);
  const mostOfNode = mostOf(graph.nodes, (node) => node.is_other);
  const mostOfEdge = mostOf(graph.edges, isOther);
  const part = (value: number, of: number): number => Math.min(1, value / of);
  const [least, most] = radiusRange(graph.nodes.length);
  const nodes = graph.nodes.map((node) => ({
    node,
    key: keyOf(node),
    radius: least + (most - least) * Math.sqrt(part(node.bytes, mostOfNode)),
  }));
  const edges: SceneEdge[] = [];
  const edgesOf: number[][] = nodes.map(() => []);
  for (const edge of graph.edges) {
    const from = position.get(edge.source);
    const to = position.get(edge.target);
    const [source, target] = [nodes[from ?? -1]?.node, nodes[to ?? -1]?.node];
    if (from === undefined || to === undefined || source === undefined || target === undefined) continue;
    edgesOf[from]?.push(edges.length);
    if (to !== from) edgesOf[to]?.push(edges.length);
    edges.push({
      edge,
      from,
      to,
      direction: directionOf(source, target),
      width: 0.7 + 5 * part(edge.bytes, mostOfEdge) ** 0.75,
      isOther: isOther(edge),
    });
  }
  const largest = nodes
    .map((_, index) => index)
    .sort((left, right) => (nodes[right]?.node.bytes ?? 0) - (nodes[left]?.node.bytes ?? 0));
  const others = largest.filter((index) => nodes[index]?.node.is_other === true);
  const firing = largest.filter((index) => !others.includes(index) && (nodes[index]?.node.alerts ?? 0) > 0);
  const named = [...new Set([...firing, ...others, ...largest])];
  return { nodes, edges, edgesOf, groups: groupsOf(edges), largest, named, folded: reasonOf(graph) };
}

/** An edge bends to its right by this part of its length: both directions of a pair are seen apart. */
export const BEND = 0.07;

/** The middle point that the curve of an edge is drawn towards. */
export function bendPoint(x1: number, y1: number, x2: number, y2: number): [number, number] {
  return [(x1 + x2) / 2 - (y2 - y1) * BEND, (y1 + y2) / 2 + (x2 - x1) * BEND];
}

/** Points on an edge that are compared with the pointer. */
const SAMPLES = 16;

function distanceToEdge(x: number, y: number, ends: [number, number, number, number]): number {
  const [x1, y1, x2, y2] = ends;
  const [mx, my] = bendPoint(x1, y1, x2, y2);
  let least = Number.POSITIVE_INFINITY;
  for (let step = 1; step < SAMPLES; step += 1) {
    const t = step / SAMPLES;
    const a = (1 - t) * (1 - t);
    const b = 2 * t * (1 - t);
    const c = t * t;
    least = Math.min(least, Math.hypot(a * x1 + b * mx + c * x2 - x, a * y1 + b * my + c * y2 - y));
  }
  return least;
}

/** The host at the point, else the edge, else null. `reach` is how far off the pointer may be. */
export function hitAt(scene: Scene, positions: Float32Array, x: number, y: number, reach: number): Hit | null {
  let found: Hit | null = null;
  let nearest = Number.POSITIVE_INFINITY;
  scene.nodes.forEach(({ radius }, index) => {
    const distance = Math.hypot((positions[index * 2] ?? 0) - x, (positions[index * 2 + 1] ?? 0) - y);
    if (distance <= radius + reach && distance < nearest) {
      nearest = distance;
      found = { kind: "node", index };
    }
  });
  if (found !== null) return found;
  scene.edges.forEach(({ from, to, width }, index) => {
    const ends: [number, number, number, number] = [
      positions[from * 2] ?? 0,
      positions[from * 2 + 1] ?? 0,
      positions[to * 2] ?? 0,
      positions[to * 2 + 1] ?? 0,
    ];
    // Most edges are far away: their box says so sooner than their curve.
    const slack = reach + width + Math.hypot(ends[2] - ends[0], ends[3] - ends[1]) * BEND;
    if (x < Math.min(ends[0], ends[2]) - slack || x > Math.max(ends[0], ends[2]) + slack) return;
    if (y < Math.min(ends[1], ends[3]) - slack || y > Math.max(ends[1], ends[3]) + slack) return;
    const distance = distanceToEdge(x, y, ends) - width / 2;
    if (distance <= reach && distance < nearest) {
      nearest = distance;
      found = { kind: "edge", index };
    }
  });
  return found;
}

/** The host next to the present one in a direction of the arrow keys; the same where there is none. */
export function neighbour(positions: Float32Array, present: number, dx: number, dy: number): number {
  const [x, y] = [positions[present * 2] ?? 0, positions[present * 2 + 1] ?? 0];
  let best = present;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < positions.length / 2; index += 1) {
    const ahead = ((positions[index * 2] ?? 0) - x) * dx + ((positions[index * 2 + 1] ?? 0) - y) * dy;
    const aside =
      Math.abs(((positions[index * 2] ?? 0) - x) * dy) + Math.abs(((positions[index * 2 + 1] ?? 0) - y) * dx);
    // A host that lies more aside than ahead belongs to another key.
    if (index === present || ahead <= 0 || aside > ahead * 2) continue;
    const cost = ahead + aside * 2;
    if (cost < least) {
      least = cost;
      best = index;
    }
  }
  return best;
}
