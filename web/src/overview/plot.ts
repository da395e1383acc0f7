/**
 * The drawing of traffic over time by uPlot. It takes a place, a size and the present figures, and reports the cell under the
 * pointer.
 */

import uPlot from "uplot";
import { DIRECTIONS, type History } from "../api.ts";
import { clock, rate, type Unit } from "../format.ts";
import type { Palette } from "../theme.ts";
import { DIRECTION_NAMES } from "../words.ts";

/** The present figures, as the chart reads them when it draws. */
export interface Axes {
  history: History | null;
  unit: Unit;
  colours: Palette;
}

// Directions differ by their strokes too, not by colour alone.
const DASHES: Record<string, number[]> = { incoming: [], outgoing: [], local: [6, 3], transit: [2, 3] };

/** The colour with its opacity. */
function faint(colour: string, opacity: number): string {
  const parts = /^rgb\((.*)\)$/.exec(colour);
  return parts === null ? colour : `rgba(${parts[1]}, ${opacity})`;
}

/** Marks the starts of alerts at the top, and cells with dropped packets at the bottom. */
function drawMarks(plot: uPlot, { history, colours }: Axes): void {
  if (history === null) return;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  const inside = (x: number): boolean => x >= bbox.left && x <= bbox.left + bbox.width;
  ctx.save();
  ctx.setLineDash([]);
  for (const alert of history.alerts) {
    const x = plot.valToPos(Date.parse(alert.starts_at) / 1000, "x", true);
    if (!inside(x)) continue;
    ctx.strokeStyle = ctx.fillStyle = alert.severity === "info" ? colours.muted : colours[alert.severity];
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top);
    ctx.lineTo(x + 4 * ratio, bbox.top);
    ctx.lineTo(x, bbox.top + 7 * ratio);
    ctx.fill();
  }
  ctx.fillStyle = colours.critical;
  for (const [index, time] of history.times.entries()) {
    const x = plot.valToPos(time, "x", true);
    if ((history.dropped[index] ?? 0) > 0 && inside(x))
      ctx.fillRect(x - ratio, bbox.top + bbox.height - 6 * ratio, 2 * ratio, 6 * ratio);
  }
  ctx.restore();
}

/** The gap of the grid is in powers of ten, or halves and fifths of them. */
const GAPS = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 14 }, (_, power) => digit * 10 ** power))
  .sort((a, b) => a - b);

/** Cells that the chart is wide at least: a short capture has few. */
const LEAST_CELLS = 10;

/** The times at both ends of the chart, in Unix seconds. */
function timesOf(history: History | null): [number, number] {
  const first = history?.times[0];
  const last = history?.times.at(-1);
  if (history === null || first === undefined || last === undefined) return [0, 1];
  return [first, Math.max(last, first + LEAST_CELLS * history.step_seconds)];
}

export function makePlot(
  place: HTMLElement,
  size: { width: number; height: number },
  axes: { current: Axes },
  onMove: (index: number | null) => void,
): uPlot {
  const { colours } = axes.current;
  const perUnit = (value: number): number => (axes.current.unit === "bits" ? value / 8 : value);
  const axis: uPlot.Axis = {
    stroke: colours.muted,
    font: "11px system-ui, sans-serif",
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      ...size,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: false, y: false }, y: false },
      // An idle network has an axis too.
      scales: {
        x: { range: () => timesOf(axes.current.history) },
        y: { range: (_plot, _least, most) => [0, Math.max(most * 1.08, 8)] },
      },
      axes: [
        {
          ...axis,
          space: 80,
          size: 26,
          values: (_plot, times) => times.map((time) => clock(time * 1000).slice(0, time % 60 === 0 ? 5 : 8)),
        },
        {
          ...axis,
          size: 74,
          space: 34,
          incrs: GAPS,
          values: (_plot, rates) => rates.map((value) => (value === 0 ? "0" : rate(perUnit(value), axes.current.unit))),
        },
      ],
      series: [
        {},
        ...DIRECTIONS.map((direction) => ({
          label: DIRECTION_NAMES[direction],
          stroke: colours[direction],
          width: 1.5,
          dash: DASHES[direction] ?? [],
          fill: faint(colours[direction], direction === "incoming" || direction === "outgoing" ? 0.12 : 0.04),
          points: { show: (_plot: uPlot, _series: number, first: number, last: number) => last === first, size: 5 },
        })),
      ],
      hooks: {
        draw: [(drawn) => drawMarks(drawn, axes.current)],
        setCursor: [(moved) => onMove(moved.cursor.idx ?? null)],
      },
    },
    [[], [], [], [], []],
    place,
  );
  return plot;
}
