/**
 * The page's side of the layout worker. It takes scenes and the size of the chart, and gives positions as they come.
 */

import { useEffect, useRef } from "preact/hooks";
import { SCRIPT } from "../script.ts";
import { reducesMotion } from "../theme.ts";
import type { LayoutAnswer, LayoutRequest } from "./layout_worker.ts";
import { EMPTY, type Scene } from "./scene.ts";

/** Positions of the scene's hosts. They arrive out of step with answers: `scene` says which hosts they belong to. */
export interface Placed {
  scene: Scene;
  positions: Float32Array;
}

export const UNPLACED: Placed = { scene: EMPTY, positions: new Float32Array() };

function requestOf(number: number, scene: Scene, width: number, height: number): LayoutRequest {
  return {
    number,
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
}

/** Lays out the scene in a worker, again when it or the size changes. `onPlaced` gets each set of positions. */
export function useLayout(scene: Scene, width: number, height: number, onPlaced: (placed: Placed) => void): void {
  const worker = useRef<Worker | null>(null);
  const number = useRef(0);
  const report = useRef(onPlaced);
  report.current = onPlaced;
  useEffect(() => {
    const made = new Worker(SCRIPT);
    worker.current = made;
    return () => made.terminate();
  }, []);
  useEffect(() => {
    if (worker.current === null || width === 0 || height === 0) return;
    number.current += 1;
    worker.current.onmessage = ({ data }: MessageEvent<LayoutAnswer>) => {
      if (data.number === number.current) report.current({ scene, positions: data.positions });
    };
    worker.current.postMessage(requestOf(number.current, scene, width, height));
  }, [scene, width, height]);
}
