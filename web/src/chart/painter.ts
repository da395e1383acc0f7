/**
 * When the network chart is drawn: at most once a frame, and no more of it than has changed.
 */

import { useEffect, useRef } from "preact/hooks";
import { palette } from "../theme.ts";
import { drawAll, drawMarked, type Zoom } from "./canvas.ts";
import { type Placed, UNPLACED } from "./layout_hook.ts";
import type { Hit } from "./scene.ts";

/** The host or edge under the pointer, or the host with the focus of the keyboard. */
export interface Mark {
  hit: Hit;
  hasFocus: boolean;
}

export interface Sight {
  width: number;
  height: number;
  zoom: Zoom;
  mark: Mark | null;
}

export interface Painter {
  below: { current: HTMLCanvasElement | null };
  above: { current: HTMLCanvasElement | null };
  placed: { current: Placed };
  /** Draws at the next frame: all, or the mark alone. */
  draw(what: "all" | "mark"): void;
}

export function usePainter(sight: Sight): Painter {
  const below = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  const placed = useRef<Placed>(UNPLACED);
  const latest = useRef(sight);
  latest.current = sight;
  const frame = useRef(0);
  const isAllOld = useRef(false);
  const paint = (): void => {
    const { mark, ...size } = latest.current;
    if (below.current === null || above.current === null || size.width === 0) return;
    const marked = { marked: mark?.hit ?? null, hasFocus: mark?.hasFocus ?? false };
    const drawn = { ...placed.current, ...size, ...marked, colours: palette.peek() };
    if (isAllOld.current) drawAll(below.current, drawn);
    isAllOld.current = false;
    drawMarked(above.current, drawn);
  };
  const draw = (what: "all" | "mark"): void => {
    isAllOld.current ||= what === "all";
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(paint);
  };
  useEffect(() => draw("all"), [sight.zoom, sight.width, sight.height, palette.value]);
  useEffect(() => draw("mark"), [sight.mark]);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  return { below, above, placed, draw };
}
