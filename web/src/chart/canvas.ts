/**
 * Draws the network chart on a canvas. It takes a scene, positions and colours, and knows neither the API nor the page.
 */

import { counted, shortened } from "../format.ts";
import type { Palette } from "../theme.ts";
import { bendPoint, type Hit, type Scene } from "./scene.ts";

/** The part of the chart that is seen. */
export interface Zoom {
  scale: number;
  x: number;
  y: number;
}

export interface Frame {
  scene: Scene;
  positions: Float32Array;
  width: number;
  height: number;
  zoom: Zoom;
  colours: Palette;
  /** The host or edge that is pointed at or has the focus. */
  marked: Hit | null;
  hasFocus: boolean;
}

/** Hosts with a name beside them. */
const LABELS = 14;
const LABEL_CHARACTERS = 24;

const isUpright = (frame: Frame): boolean => frame.height > frame.width;

function drawSides(ctx: CanvasRenderingContext2D, frame: Frame): void {
  const { width, height, colours } = frame;
  ctx.strokeStyle = colours.line;
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  if (isUpright(frame)) {
    ctx.moveTo(0, height / 2);
    ctx.lineTo(width, height / 2);
  } else {
    ctx.moveTo(width / 2, 0);
    ctx.lineTo(width / 2, height);
  }
  ctx.stroke();
  ctx.setLineDash([]);
}

function trace(ctx: CanvasRenderingContext2D, frame: Frame, index: number): void {
  const edge = frame.scene.edges[index];
  if (edge === undefined) return;
  const { positions, scene } = frame;
  const [x1, y1] = [positions[edge.from * 2] ?? 0, positions[edge.from * 2 + 1] ?? 0];
  const [x2, y2] = [positions[edge.to * 2] ?? 0, positions[edge.to * 2 + 1] ?? 0];
  ctx.moveTo(x1, y1);
  if (edge.from === edge.to) {
    const radius = scene.nodes[edge.from]?.radius ?? 4;
    ctx.arc(x1, y1 - radius * 1.6, radius, Math.PI / 2, Math.PI * 2.5);
  } else {
    const [mx, my] = bendPoint(x1, y1, x2, y2);
    ctx.quadraticCurveTo(mx, my, x2, y2);
  }
}

function drawEdges(ctx: CanvasRenderingContext2D, frame: Frame): void {
  // One pixel of the screen, whatever the zoom: lines of that width are drawn the fastest.
  const thin = 1 / ctx.getTransform().a;
  for (const { colour, width, indices } of frame.scene.groups) {
    ctx.strokeStyle = frame.colours[colour];
    ctx.lineWidth = width === 0 ? thin : width;
    ctx.globalAlpha = width === 0 ? 0.34 : 0.5;
    // Curves that are wide are drawn faster one by one.
    const together = width === 0 ? indices.length : 1;
    for (let start = 0; start < indices.length; start += together) {
      ctx.beginPath();
      for (const index of indices.slice(start, start + together)) trace(ctx, frame, index);
      ctx.stroke();
    }
  }
  ctx.globalAlpha = 1;
}

function circle(ctx: CanvasRenderingContext2D, frame: Frame, index: number, more = 0): void {
  const x = frame.positions[index * 2] ?? 0;
  const y = frame.positions[index * 2 + 1] ?? 0;
  const radius = (frame.scene.nodes[index]?.radius ?? 4) + more;
  ctx.moveTo(x + radius, y);
  ctx.arc(x, y, radius, 0, Math.PI * 2);
}

function drawNodes(ctx: CanvasRenderingContext2D, frame: Frame, indices: number[]): void {
  const { scene, colours } = frame;
  const colourOf = (index: number): string => {
    const node = scene.nodes[index]?.node;
    return node?.is_other === true
      ? colours["other-node"]
      : node?.is_local === true
        ? colours["local-node"]
        : colours["remote-node"];
  };
  for (const colour of new Set(indices.map(colourOf))) {
    ctx.fillStyle = colour;
    ctx.strokeStyle = colours.surface;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (const index of indices) if (colourOf(index) === colour) circle(ctx, frame, index);
    ctx.fill();
    ctx.stroke();
  }
  ctx.strokeStyle = colours.critical;
  ctx.lineWidth = 2;
  ctx.beginPath();
  for (const index of indices) if ((scene.nodes[index]?.node.alerts ?? 0) > 0) circle(ctx, frame, index, 3);
  ctx.stroke();
}

export function nameOf(scene: Scene, index: number): string {
  const node = scene.nodes[index]?.node;
  if (node === undefined) return "";
  if (node.is_other || node.address === null) {
    const name = node.is_local ? "other local host" : "other host";
    // Sums of small flows do not have the address of an end.
    return node.hosts === 0 ? `${name}s` : counted(node.hosts, name);
  }
  return node.name ?? node.address;
}

type Box = [left: number, top: number, right: number, bottom: number];

const overlap = (one: Box, other: Box): boolean =>
  one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1];

/** Names of hosts, to the right of them or else to the left, where they cover no other name and no other named host. */
function drawLabels(ctx: CanvasRenderingContext2D, frame: Frame, wanted: number[]): void {
  const { scene, positions, colours, zoom } = frame;
  const size = 11 / zoom.scale;
  ctx.font = `${size}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3 / zoom.scale;
  ctx.strokeStyle = colours.surface;
  ctx.fillStyle = colours.text;
  const discs = wanted.map((index): Box => {
    const [x, y] = [positions[index * 2] ?? 0, positions[index * 2 + 1] ?? 0];
    const radius = scene.nodes[index]?.radius ?? 4;
    return [x - radius, y - radius, x + radius, y + radius];
  });
  const taken = [...discs];
  wanted.forEach((index, rank) => {
    const disc = discs[rank];
    if (disc === undefined) return;
    const text = shortened(nameOf(scene, index), LABEL_CHARACTERS);
    const width = ctx.measureText(text).width;
    const y = (disc[1] + disc[3]) / 2;
    const place = [disc[2] + 4, disc[0] - width - 4]
      .map((left): Box => [left, y - size * 0.7, left + width, y + size * 0.7])
      .find(
        (box) => box[0] >= 0 && box[2] <= frame.width && taken.every((other) => other === disc || !overlap(box, other)),
      );
    if (place === undefined) return;
    taken.push(place);
    ctx.strokeText(text, place[0], y);
    ctx.fillText(text, place[0], y);
  });
}

function begin(canvas: HTMLCanvasElement, frame: Frame): CanvasRenderingContext2D | null {
  const ratio = Math.min(2, devicePixelRatio);
  const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const ctx = canvas.getContext("2d");
  if (ctx === null) return null;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, width, height);
  const { scale, x, y } = frame.zoom;
  ctx.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
  return ctx;
}

/** Draws all hosts and edges. */
export function drawAll(canvas: HTMLCanvasElement, frame: Frame): void {
  const ctx = begin(canvas, frame);
  if (ctx === null) return;
  drawSides(ctx, frame);
  drawEdges(ctx, frame);
  drawNodes(ctx, frame, frame.scene.largest);
  drawLabels(ctx, frame, frame.scene.named.slice(0, LABELS));
}

/** Hosts and edges that belong to what is marked. */
function partsOf(scene: Scene, marked: Hit): { nodes: number[]; edges: number[] } {
  const edges = marked.kind === "edge" ? [marked.index] : (scene.edgesOf[marked.index] ?? []);
  const ends = edges.flatMap((index) => [scene.edges[index]?.from ?? 0, scene.edges[index]?.to ?? 0]);
  const nodes = marked.kind === "node" ? [marked.index, ...ends] : ends;
  return { nodes: [...new Set(nodes)], edges };
}

/** Draws what is marked over the chart, and fades the rest. */
export function drawMarked(canvas: HTMLCanvasElement, frame: Frame): void {
  const ctx = begin(canvas, frame);
  if (ctx === null || frame.marked === null) return;
  const { scene, colours, marked, zoom } = frame;
  ctx.save();
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.globalAlpha = 0.72;
  ctx.fillStyle = colours.surface;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.restore();
  const { nodes, edges } = partsOf(scene, marked);
  for (const index of edges) {
    const edge = scene.edges[index];
    if (edge === undefined) continue;
    ctx.strokeStyle = colours[edge.direction];
    ctx.lineWidth = Math.max(1, edge.width);
    ctx.globalAlpha = 0.85;
    ctx.beginPath();
    trace(ctx, frame, index);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
  drawNodes(ctx, frame, nodes);
  drawLabels(ctx, frame, nodes.slice(0, LABELS));
  if (marked.kind === "node" && frame.hasFocus) {
    ctx.strokeStyle = colours.focus;
    ctx.lineWidth = 3 / zoom.scale;
    ctx.beginPath();
    circle(ctx, frame, marked.index, 6);
    ctx.stroke();
  }
}
