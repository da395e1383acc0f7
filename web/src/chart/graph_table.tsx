/**
 * The network chart as a table: its text alternative.
 */

import type { JSX } from "preact";
import type { Graph } from "../api.ts";
import { bytes, count, share } from "../format.ts";
import { Host } from "../parts.tsx";
import { DIRECTION_NAMES } from "../words.ts";
import { nameOf } from "./canvas.ts";
import { serviceName } from "./figures.tsx";
import { withinOther } from "./folded.ts";
import { type Scene, sceneOf } from "./scene.ts";

function End(properties: { scene: Scene; index: number }): JSX.Element {
  const { scene, index } = properties;
  const node = scene.nodes[index]?.node;
  return node === undefined || node.address === null ? (
    <>{nameOf(scene, index)}</>
  ) : (
    <Host address={node.address} name={node.name} />
  );
}

/** `of` is the bytes that shares are of: all traffic, drawn or not. */
export function GraphTable(properties: { graph: Graph; of: number }): JSX.Element {
  const scene = sceneOf(properties.graph);
  const edges = [...scene.edges].sort((left, right) => right.edge.bytes - left.edge.bytes);
  return (
    <div class="scroll graph-table" tabIndex={0} role="region" aria-label="Network flow as a table">
      <table class="plain">
        <caption class="unseen">Network flow</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col">Direction</th>
            <th scope="col" class="number">
              Bytes
            </th>
            <th scope="col" class="number">
              Share
            </th>
            <th scope="col" class="number">
              Packets
            </th>
            <th scope="col">Top service</th>
          </tr>
        </thead>
        <tbody>
          {edges.map(({ edge, from, to, direction }) => (
            <tr key={`${scene.nodes[from]?.key} ${scene.nodes[to]?.key}`}>
              <th scope="row">
                <End scene={scene} index={from} />
              </th>
              <td>
                <End scene={scene} index={to} />
              </td>
              <td>{DIRECTION_NAMES[direction]}</td>
              <td class="number">{bytes(edge.bytes)}</td>
              <td class="number">{share(edge.bytes, properties.of)}</td>
              <td class="number">{count(edge.packets)}</td>
              <td>{edge.top[0] === undefined ? "" : serviceName(edge.top[0])}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {edges.length === 0 && <p class="empty">{withinOther(properties.graph)}</p>}
    </div>
  );
}
