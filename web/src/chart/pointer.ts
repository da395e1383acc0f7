/**
 * The pointer over the network chart: it marks what is below it, presses it, moves a chart that is zoomed in, and zooms.
 */

import type { TargetedPointerEvent, TargetedWheelEvent } from "preact";
import { useRef } from "preact/hooks";
import type { Zoom } from "./canvas.ts";
import type { Placed } from "./layout_hook.ts";
import type { Mark } from "./painter.ts";
import { type Hit, hitAt } from "./scene.ts";

export const WHOLE: Zoom = { scale: 1, x: 0, y: 0 };
export const LARGEST_SCALE = 8;
/** The pointer may be so far off a host or edge, in pixels. */
const REACH = 5;
/** A press that moves farther moves the chart, in pixels. */
const STILL = 4;

/** The zoom after a change by `factor` around a point of the chart. */
export function zoomed(zoom: Zoom, factor: number, x: number, y: number): Zoom {
  const scale = Math.max(1, Math.min(LARGEST_SCALE, zoom.scale * factor));
  if (scale === 1) return WHOLE;
  return { scale, x: x - ((x - zoom.x) * scale) / zoom.scale, y: y - ((y - zoom.y) * scale) / zoom.scale };
}

interface Point {
  x: number;
  y: number;
}

export interface Pointing {
  placed: { current: Placed };
  zoom: Zoom;
  mark: Mark | null;
  onZoom(zoom: Zoom): void;
  onMark(mark: Mark | null): void;
  onPress(hit: Hit): void;
}

type PointerHandler = (event: TargetedPointerEvent<HTMLElement>) => void;

export interface PointerHandlers {
  onPointerMove: PointerHandler;
  onPointerDown: PointerHandler;
  onPointerUp: PointerHandler;
  onPointerLeave: () => void;
  onWheel: (event: TargetedWheelEvent<HTMLElement>) => void;
}

function pointOf(event: { clientX: number; clientY: number; currentTarget: HTMLElement }): Point {
  const bounds = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
}

export function usePointer({ placed, zoom, mark, onZoom, onMark, onPress }: Pointing): PointerHandlers {
  const drag = useRef<(Point & { moved: boolean }) | null>(null);
  const hitOf = ({ x, y }: Point): Hit | null => {
    const { scene, positions } = placed.current;
    return hitAt(scene, positions, (x - zoom.x) / zoom.scale, (y - zoom.y) / zoom.scale, REACH / zoom.scale);
  };
  /** True if the press moves the chart. */
  const drags = (point: Point): boolean => {
    const start = drag.current;
    if (start === null || zoom.scale === 1) return false;
    if (!start.moved && Math.hypot(point.x - start.x, point.y - start.y) <= STILL) return false;
    onZoom({ ...zoom, x: zoom.x + point.x - start.x, y: zoom.y + point.y - start.y });
    drag.current = { ...point, moved: true };
    return true;
  };
  return {
    onPointerMove: (event) => {
      const point = pointOf(event);
      if (drags(point)) return;
      const hit = hitOf(point);
      if (hit?.kind === mark?.hit.kind && hit?.index === mark?.hit.index) return;
      onMark(hit === null ? null : { hit, hasFocus: false });
    },
    onPointerDown: (event) => {
      drag.current = { ...pointOf(event), moved: false };
    },
    onPointerUp: (event) => {
      const moved = drag.current?.moved ?? false;
      drag.current = null;
      const hit = hitOf(pointOf(event));
      if (!moved && hit !== null && event.button === 0) onPress(hit);
    },
    onPointerLeave: () => {
      drag.current = null;
      onMark(null);
    },
    onWheel: (event) => {
      // A plain wheel scrolls the page; in full screen there is nothing to scroll.
      if (!event.ctrlKey && document.fullscreenElement === null) return;
      event.preventDefault();
      const { x, y } = pointOf(event);
      onZoom(zoomed(zoom, 2 ** (-event.deltaY / 240), x, y));
    },
  };
}
