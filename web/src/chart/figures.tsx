/**
 * The figures of a host or an edge of the network chart, for the eye and for screen readers.
 */

import type { JSX } from "preact";
import type { Graph } from "../api.ts";
import { bytes, count, counted, rate, shortened, visible, type Unit } from "../format.ts";
import { sumName } from "../tables/labels.ts";
import { nameOf } from "./canvas.ts";
import type { Hit, Scene } from "./scene.ts";

type Top = Graph["edges"][number]["top"][number];

export const serviceName = (top: Top): string =>
  `${visible(top.protocol)}${top.port === null ? "" : `/${top.port}`}${top.service === null ? "" : ` (${shortened(top.port === null ? sumName(top.protocol, top.service) : top.service, 24)})`}`;

interface Sums {
  sent: number;
  received: number;
  peers: number;
}

function sumsOf(scene: Scene, index: number): Sums {
  const peers = new Set<number>();
  let [sent, received] = [0, 0];
  for (const number of scene.edgesOf[index] ?? []) {
    const edge = scene.edges[number];
    if (edge === undefined) continue;
    if (edge.from === index) sent += edge.edge.bytes;
    if (edge.to === index) received += edge.edge.bytes;
    peers.add(edge.from === index ? edge.to : edge.from);
  }
  peers.delete(index);
  return { sent, received, peers: peers.size };
}

/** A host in one sentence. */
export function sentenceOf(scene: Scene, index: number): string {
  const node = scene.nodes[index]?.node;
  if (node === undefined) return "";
  const { sent, received, peers } = sumsOf(scene, index);
  const address = node.address === null || node.name === null ? "" : ` ${visible(node.address)}`;
  const side = node.is_local ? "local" : "Internet";
  const reason = scene.folded === "" ? "" : `, ${scene.folded}`;
  const folded = node.is_other ? `${reason}, ${bytes(node.bytes)} in all` : "";
  const alerts = node.alerts > 0 ? `, ${counted(node.alerts, "firing alert")}` : "";
  return `${shortened(nameOf(scene, index), 60)}${address}, ${side}${folded}, sent ${bytes(sent)}, received ${bytes(received)}, ${counted(peers, "peer")}${alerts}`;
}

function NodeFigures(properties: { scene: Scene; index: number; seconds: number; unit: Unit }): JSX.Element | null {
  const { scene, index, seconds, unit } = properties;
  const node = scene.nodes[index]?.node;
  if (node === undefined) return null;
  const { sent, received, peers } = sumsOf(scene, index);
  const perSecond = (value: number): string => (seconds > 0 ? ` · ${rate(value / seconds, unit)}` : "");
  return (
    <>
      <b>
        <bdi>{shortened(nameOf(scene, index), 60)}</bdi>
      </b>
      {node.name !== null && node.address !== null && <bdi class="muted">{visible(node.address)}</bdi>}
      {node.is_other && scene.folded !== "" && <span class="muted">{scene.folded}</span>}
      {node.is_other && <span>{bytes(node.bytes)} in all</span>}
      <span>
        sent {bytes(sent)}
        {perSecond(sent)}
      </span>
      <span>
        received {bytes(received)}
        {perSecond(received)}
      </span>
      <span>{counted(peers, "peer")} in the chart</span>
      {node.alerts > 0 && <span class="is-critical">{counted(node.alerts, "firing alert")}</span>}
    </>
  );
}

function EdgeFigures(properties: { scene: Scene; index: number; seconds: number; unit: Unit }): JSX.Element | null {
  const { scene, index, seconds, unit } = properties;
  const edge = scene.edges[index];
  if (edge === undefined) return null;
  return (
    <>
      <b>
        <bdi>{shortened(nameOf(scene, edge.from), 40)}</bdi> → <bdi>{shortened(nameOf(scene, edge.to), 40)}</bdi>
      </b>
      <span>
        {bytes(edge.edge.bytes)}, {count(edge.edge.packets)} packets
        {seconds > 0 && ` · ${rate(edge.edge.bytes / seconds, unit)}`}
      </span>
      {edge.edge.top.slice(0, 4).map((top) => (
        <span key={serviceName(top)} class="muted">
          {serviceName(top)} {bytes(top.bytes)}
        </span>
      ))}
    </>
  );
}

/** The figures beside the pointer. */
export function Figures(properties: {
  scene: Scene;
  hit: Hit;
  x: number;
  y: number;
  width: number;
  seconds: number;
  unit: Unit;
}): JSX.Element {
  const { hit, x, y, width } = properties;
  const isLeft = x > width / 2;
  const style = isLeft
    ? { right: `${width - x + 14}px`, top: `${y + 8}px` }
    : { left: `${x + 14}px`, top: `${y + 8}px` };
  return (
    <div class="figures" style={style} aria-hidden="true">
      {hit.kind === "node" ? (
        <NodeFigures {...properties} index={hit.index} />
      ) : (
        <EdgeFigures {...properties} index={hit.index} />
      )}
    </div>
  );
}
