/**
 * The network chart by forces: hosts as circles, traffic as curves. The layout runs in a worker, the drawing on two canvases:
 * all below, what is marked above.
 */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Graph } from "../api.ts";
import { hostWord, withWord } from "../filter.ts";
import { counted, visible } from "../format.ts";
import { show, view } from "../store.ts";
import { toggleWord, useSize } from "../parts.tsx";
import { nameOf, type Zoom } from "./canvas.ts";
import { Figures, sentenceOf } from "./figures.tsx";
import { charted, foldedSentence } from "./folded.ts";
import { type Placed, useLayout } from "./layout_hook.ts";
import { NodeButtons } from "./node_buttons.tsx";
import { type Mark, usePainter } from "./painter.ts";
import { LARGEST_SCALE, usePointer, WHOLE, zoomed } from "./pointer.ts";
import { EMPTY, type Hit, neighbour, type Scene, sceneOf } from "./scene.ts";

const ZOOM_STEP = 1.5;

function press(scene: Scene, hit: Hit): void {
  if (hit.kind === "node") {
    const address = scene.nodes[hit.index]?.node.address;
    if (address !== undefined && address !== null) toggleWord(hostWord(address));
    return;
  }
  const edge = scene.edges[hit.index];
  let { filter } = view.peek();
  for (const index of [edge?.from, edge?.to]) {
    const address = scene.nodes[index ?? -1]?.node.address ?? null;
    if (address !== null) filter = withWord(filter, hostWord(address));
  }
  show({ filter });
}

function ZoomButtons(properties: { scale: number; onZoom(factor: number): void }): JSX.Element {
  const { scale, onZoom } = properties;
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <button
        type="button"
        class="button"
        aria-label="Zoom in"
        disabled={scale >= LARGEST_SCALE}
        onClick={() => onZoom(ZOOM_STEP)}
      >
        +
      </button>
      <button
        type="button"
        class="button"
        aria-label="Zoom out"
        disabled={scale <= 1}
        onClick={() => onZoom(1 / ZOOM_STEP)}
      >
        −
      </button>
    </div>
  );
}

/** Buttons for the keyboard. There are hundreds: they are made again with the hosts, not with each move of the pointer. */
function useButtons(shown: Scene, placed: { current: Placed }, onMark: (mark: Mark | null) => void): JSX.Element {
  return useMemo(
    () => (
      <NodeButtons
        label="Hosts of the chart; the arrow keys move between them, Enter filters"
        keys={shown.nodes.map(({ key }) => key)}
        name={(index) => visible(nameOf(shown, index))}
        sentence={(index) => sentenceOf(shown, index)}
        next={(index, dx, dy) => neighbour(placed.current.positions, index, dx, dy)}
        onFocus={(index) => onMark(index === null ? null : { hit: { kind: "node", index }, hasFocus: true })}
        onPress={(index) => press(placed.current.scene, { kind: "node", index })}
      />
    ),
    [shown],
  );
}

export function ForceView(properties: { graph: Graph; describedBy: string }): JSX.Element {
  const { graph } = properties;
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const [zoom, setZoom] = useState(WHOLE);
  const [mark, setMark] = useState<Mark | null>(null);
  const [shown, setShown] = useState(EMPTY);
  const scene = useMemo(() => sceneOf(graph), [graph]);
  const { below, above, placed, draw } = usePainter({ width, height, zoom, mark });
  useLayout(scene, width, height, (next) => {
    if (next.scene !== placed.current.scene && mark !== null) setMark(kept(placed.current.scene, next.scene, mark));
    placed.current = next;
    setShown(next.scene);
    draw("all");
  });
  const pointer = usePointer({
    placed,
    zoom,
    mark,
    onZoom: setZoom,
    onMark: setMark,
    onPress: (hit) => press(placed.current.scene, hit),
  });
  const buttons = useButtons(shown, placed, setMark);
  return (
    <div class="force" data-placed={shown !== EMPTY}>
      <div
        class={`canvases ${mark === null ? "" : "points"}`}
        ref={box}
        role="img"
        aria-label={`Network flow: ${counted(charted(graph), "host")}, ${counted(graph.edges.length, "edge")}. ${foldedSentence(graph)}`}
        aria-describedby={properties.describedBy}
        {...pointer}
      >
        <canvas ref={below} aria-hidden="true" />
        <canvas ref={above} aria-hidden="true" />
        <span class="side-name local-side" aria-hidden="true">
          Local network
        </span>
        <span class="side-name remote-side" aria-hidden="true">
          Internet
        </span>
        {mark !== null && (
          <Figures
            scene={placed.current.scene}
            hit={mark.hit}
            {...spotOf(placed.current, mark.hit, zoom)}
            width={width}
            seconds={graph.seconds}
            unit={view.value.unit}
          />
        )}
      </div>
      {buttons}
      <ZoomButtons scale={zoom.scale} onZoom={(factor) => setZoom(zoomed(zoom, factor, width / 2, height / 2))} />
    </div>
  );
}

/** The place of the mark's figures, in pixels of the chart. */
function spotOf({ scene, positions }: Placed, hit: Hit, zoom: Zoom): { x: number; y: number } {
  const of = (index: number): [number, number] => [positions[index * 2] ?? 0, positions[index * 2 + 1] ?? 0];
  const edge = hit.kind === "edge" ? scene.edges[hit.index] : undefined;
  const [x1, y1] = of(edge?.from ?? hit.index);
  const [x2, y2] = of(edge?.to ?? hit.index);
  return { x: ((x1 + x2) / 2) * zoom.scale + zoom.x, y: ((y1 + y2) / 2) * zoom.scale + zoom.y };
}

/** The mark among the hosts of the next answer; an edge is pointed at again. */
function kept(last: Scene, next: Scene, mark: Mark): Mark | null {
  if (mark.hit.kind === "edge") return null;
  const key = last.nodes[mark.hit.index]?.key;
  const index = next.nodes.findIndex((node) => node.key === key);
  return index < 0 ? null : { hit: { kind: "node", index }, hasFocus: mark.hasFocus };
}
