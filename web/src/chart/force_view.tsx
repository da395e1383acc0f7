/**
 * The network chart by forces: hosts as circles, traffic as curves. The layout runs in a worker, the drawing on two canvases:
 * all below, what is marked above.
 */

import type { JSX, TargetedPointerEvent, TargetedWheelEvent } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Graph } from "../api.ts";
import { hostWord, withWord } from "../filter.ts";
import { SCRIPT } from "../script.ts";
import { show, view } from "../store.ts";
import { palette, reducesMotion } from "../theme.ts";
import { toggleWord, useSize } from "../parts.tsx";
import { drawAll, drawMarked, type Frame, type Zoom } from "./canvas.ts";
import { Figures, sentenceOf } from "./figures.tsx";
import type { LayoutAnswer, LayoutRequest } from "./layout_worker.ts";
import { NodeButtons } from "./node_buttons.tsx";
import { EMPTY, type Hit, hitAt, neighbour, type Scene, sceneOf } from "./scene.ts";

const WHOLE: Zoom = { scale: 1, x: 0, y: 0 };
const LARGEST_SCALE = 8;
/** How far off a host or edge the pointer may be, in pixels. */
const REACH = 5;

/** Positions of the scene's hosts. They arrive out of step with answers: `scene` says which hosts they belong to. */
interface Placed {
  scene: Scene;
  positions: Float32Array;
}

/** The worker, and a call that gives it a scene. `onPlaced` gets each set of positions. */
function useLayout(onPlaced: (placed: Placed) => void): (scene: Scene, width: number, height: number) => void {
  const worker = useRef<Worker | null>(null);
  const number = useRef(0);
  const asked = useRef<Scene>(EMPTY);
  useEffect(() => {
    const made = new Worker(SCRIPT);
    made.onmessage = ({ data }: MessageEvent<LayoutAnswer>) => {
      if (data.number === number.current) onPlaced({ scene: asked.current, positions: data.positions });
    };
    worker.current = made;
    return () => made.terminate();
  }, []);
  return (scene, width, height) => {
    number.current += 1;
    asked.current = scene;
    const request: LayoutRequest = {
      number: number.current,
      isStill: reducesMotion.peek(),
      input: {
        keys: scene.nodes.map(({ key }) => key),
        isLocal: scene.nodes.map(({ node }) => node.is_local),
        isOther: scene.nodes.map(({ node }) => node.is_other),
        radii: scene.nodes.map(({ radius }) => radius),
        edges: scene.edges.map(({ from, to }) => [from, to]),
        width,
        height,
      },
    };
    worker.current?.postMessage(request);
  };
}

function zoomed(zoom: Zoom, factor: number, x: number, y: number): Zoom {
  const scale = Math.max(1, Math.min(LARGEST_SCALE, zoom.scale * factor));
  if (scale === 1) return WHOLE;
  return { scale, x: x - ((x - zoom.x) * scale) / zoom.scale, y: y - ((y - zoom.y) * scale) / zoom.scale };
}

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

export function ForceView(properties: { graph: Graph; describedBy: string }): JSX.Element {
  const { graph } = properties;
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const below = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  const placed = useRef<Placed>({ scene: EMPTY, positions: new Float32Array() });
  const [shown, setShown] = useState(EMPTY);
  const [marked, setMarked] = useState<{ hit: Hit; hasFocus: boolean } | null>(null);
  const [zoom, setZoom] = useState(WHOLE);
  const frame = useRef(0);
  const drag = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const scene = useMemo(() => sceneOf(graph), [graph]);

  // A mark by index belongs to the hosts of one answer: it is found again by its key.
  const current = useRef({ width, height, zoom, marked });
  current.current = { width, height, zoom, marked };
  const colours = palette.value;
  const isAllOld = useRef(false);
  const draw = (what: "all" | "mark"): void => {
    isAllOld.current ||= what === "all";
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const { marked, ...size } = current.current;
      if (below.current === null || above.current === null || size.width === 0) return;
      const drawn: Frame = { ...placed.current, ...size, colours: palette.peek(), marked: marked?.hit ?? null, hasFocus: marked?.hasFocus ?? false };
      if (isAllOld.current) drawAll(below.current, drawn);
      isAllOld.current = false;
      drawMarked(above.current, drawn);
    });
  };
  const lay = useLayout((next) => {
    if (next.scene !== placed.current.scene) {
      const last = current.current.marked;
      if (last !== null) setMarked(kept(placed.current.scene, next.scene, last));
    }
    placed.current = next;
    setShown(next.scene);
    draw("all");
  });
  useEffect(() => {
    if (width > 0 && height > 0) lay(scene, width, height);
  }, [scene, width, height]);
  useEffect(() => draw("all"), [zoom, colours, width, height]);
  useEffect(() => draw("mark"), [marked]);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);

  const at = (event: { clientX: number; clientY: number }): { x: number; y: number } => {
    const bounds = box.current?.getBoundingClientRect();
    return { x: event.clientX - (bounds?.left ?? 0), y: event.clientY - (bounds?.top ?? 0) };
  };
  const hitOf = (event: { clientX: number; clientY: number }): Hit | null => {
    const { x, y } = at(event);
    return hitAt(placed.current.scene, placed.current.positions, (x - zoom.x) / zoom.scale, (y - zoom.y) / zoom.scale, REACH / zoom.scale);
  };
  const move = (event: TargetedPointerEvent<HTMLDivElement>): void => {
    const start = drag.current;
    if (start !== null && zoom.scale > 1) {
      const { x, y } = at(event);
      if (start.moved || Math.hypot(x - start.x, y - start.y) > 4) {
        setZoom({ ...zoom, x: zoom.x + x - start.x, y: zoom.y + y - start.y });
        drag.current = { x, y, moved: true };
        return;
      }
    }
    const hit = hitOf(event);
    const last = current.current.marked;
    if (hit?.kind === last?.hit.kind && hit?.index === last?.hit.index) return;
    setMarked(hit === null ? null : { hit, hasFocus: false });
  };
  const release = (event: TargetedPointerEvent<HTMLDivElement>): void => {
    const moved = drag.current?.moved ?? false;
    drag.current = null;
    const hit = hitOf(event);
    if (!moved && hit !== null && event.button === 0) press(placed.current.scene, hit);
  };
  // A plain wheel scrolls the page; in full screen there is nothing to scroll.
  const wheel = (event: TargetedWheelEvent<HTMLDivElement>): void => {
    if (!event.ctrlKey && document.fullscreenElement === null) return;
    event.preventDefault();
    const { x, y } = at(event);
    setZoom(zoomed(zoom, 2 ** (-event.deltaY / 240), x, y));
  };
  const zoomBy = (factor: number): void => setZoom(zoomed(zoom, factor, width / 2, height / 2));
  // Hundreds of buttons are made anew with the hosts, not with each move of the pointer.
  const buttons = useMemo(
    () => (
      <NodeButtons
        label="Hosts of the chart; the arrow keys move between them, Enter filters"
        keys={shown.nodes.map(({ key }) => key)}
        sentence={(index) => sentenceOf(shown, index)}
        next={(index, dx, dy) => neighbour(placed.current.positions, index, dx, dy)}
        onFocus={(index) => setMarked(index === null ? null : { hit: { kind: "node", index }, hasFocus: true })}
        onPress={(index) => press(placed.current.scene, { kind: "node", index })}
      />
    ),
    [shown],
  );
  const spot = marked === null ? null : spotOf(placed.current, marked.hit, zoom);

  return (
    <div class="force" data-placed={shown !== EMPTY}>
      <div
        class={`canvases ${marked === null ? "" : "points"}`}
        ref={box}
        role="img"
        aria-label={`Network flow: ${graph.nodes.length} hosts, ${graph.edges.length} edges`}
        aria-describedby={properties.describedBy}
        onPointerMove={move}
        onPointerDown={(event) => (drag.current = { ...at(event), moved: false })}
        onPointerUp={release}
        onPointerLeave={() => {
          drag.current = null;
          setMarked(null);
        }}
        onWheel={wheel}
      >
        <canvas ref={below} aria-hidden="true" />
        <canvas ref={above} aria-hidden="true" />
        <span class="side-name local-side" aria-hidden="true">Local network</span>
        <span class="side-name remote-side" aria-hidden="true">Internet</span>
        {marked !== null && spot !== null && (
          <Figures scene={placed.current.scene} hit={marked.hit} {...spot} width={width} seconds={graph.seconds} unit={view.value.unit} />
        )}
      </div>
      {buttons}
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" class="button" aria-label="Zoom in" disabled={zoom.scale >= LARGEST_SCALE} onClick={() => zoomBy(1.5)}>+</button>
        <button type="button" class="button" aria-label="Zoom out" disabled={zoom.scale <= 1} onClick={() => zoomBy(1 / 1.5)}>−</button>
      </div>
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

/** The mark among the hosts of the next answer; an edge is pointed at anew. */
function kept(last: Scene, next: Scene, marked: { hit: Hit; hasFocus: boolean }): { hit: Hit; hasFocus: boolean } | null {
  if (marked.hit.kind === "edge") return null;
  const key = last.nodes[marked.hit.index]?.key;
  const index = next.nodes.findIndex((node) => node.key === key);
  return index < 0 ? null : { hit: { kind: "node", index }, hasFocus: marked.hasFocus };
}
