/**
 * Traffic over time, by direction: the last hour, and beside it the last minute. Each chart has a table with the same figures.
 */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { DIRECTIONS, type Direction, type History } from "../api.ts";
import { mostUnlisted } from "../coverage.ts";
import { counted, rate, stamp, type Unit } from "../format.ts";
import type { Query } from "../query.ts";
import { historyLong, historyShort, refused, show, view } from "../store.ts";
import { palette } from "../theme.ts";
import { oldClass, Trouble, useSize } from "../parts.tsx";
import { DIRECTION_NAMES, NO_FIGURES } from "../words.ts";
import { HistoryTable } from "./history_table.tsx";
import { type Axes, makePlot } from "./plot.ts";

const HEIGHT = 182;

/** The figures of the chart in one sentence. */
function summary(history: History | null, unit: Unit): string {
  if (history === null) return "No figures yet.";
  const parts = DIRECTIONS.map((direction) => {
    const cells = history.bytes_per_second[direction];
    const most = Math.max(0, ...cells);
    return `${DIRECTION_NAMES[direction]} at most ${rate(most, unit)}, last ${rate(cells.at(-1) ?? 0, unit)}`;
  });
  return `${parts.join("; ")}.`;
}

function values(history: History, unit: Unit): uPlot.AlignedData {
  const factor = unit === "bits" ? 8 : 1;
  return [
    history.times,
    ...DIRECTIONS.map((direction) => history.bytes_per_second[direction].map((value) => value * factor)),
  ];
}

/** The figures under the pointer, or the last ones. */
function Legend(properties: { history: History | null; at: number | null; unit: Unit }): JSX.Element {
  const { history, at, unit } = properties;
  const index = at ?? (history === null ? -1 : history.times.length - 1);
  const value = (direction: Direction): number | null => history?.bytes_per_second[direction][index] ?? null;
  return (
    <p class="legend" aria-hidden="true">
      {DIRECTIONS.map((direction) => (
        <span key={direction} class="legend-entry">
          <span class={`swatch ${direction}`} /> {DIRECTION_NAMES[direction]} <b>{rate(value(direction), unit)}</b>
        </span>
      ))}
    </p>
  );
}

function Plot(properties: { id: string; title: string; query: Query<History>; class: string }): JSX.Element {
  const [box, { width }] = useSize<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const axes = useRef<Axes>({ history: null, unit: "bits", colours: palette.peek() });
  const history = properties.query.answer.value;
  const hasFigures = history !== null;
  const unit = view.value.unit;
  const colours = palette.value;
  axes.current = { history, unit, colours };

  useEffect(() => {
    // Without figures, axes would show a scale of nothing.
    if (box.current === null || width === 0 || !hasFigures) return;
    const made = makePlot(box.current, { width, height: HEIGHT }, axes, setAt);
    plot.current = made;
    if (axes.current.history !== null) made.setData(values(axes.current.history, axes.current.unit));
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [width > 0, hasFigures, colours]);
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height: HEIGHT });
  }, [width]);
  useEffect(() => {
    if (history !== null) plot.current?.setData(values(history, unit));
  }, [history, unit]);

  const index = at ?? (history === null ? -1 : history.times.length - 1);
  const time = history?.times[index];
  const dropped = history?.dropped[index] ?? 0;
  return (
    <figure class={properties.class}>
      <figcaption>
        {properties.title}
        <span aria-hidden="true">{time === undefined ? "" : ` · ${stamp(time * 1000)}`}</span>
        {dropped > 0 && (
          <span class="is-critical" aria-hidden="true">
            {` · ${counted(dropped, "packet")} dropped`}
          </span>
        )}
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`Traffic, ${properties.title.toLowerCase()}`}
        aria-describedby={`${properties.id}-summary`}
      >
        {!hasFigures && refused.value !== null && <p class="empty">{NO_FIGURES}</p>}
      </div>
      <p class="unseen" id={`${properties.id}-summary`}>
        {summary(history, unit)} “Show as table” gives all figures.
      </p>
      <Legend history={history} at={at} unit={unit} />
    </figure>
  );
}

/** With a filter: the rate of traffic that has no row, so that the exporter cannot tell if it matches. */
function Unlisted(): JSX.Element | null {
  const most = mostUnlisted([historyLong.answer.value, historyShort.answer.value]);
  if (view.value.filter === "" || most === 0) return null;
  return (
    <small title="The highest rate, in either chart, of traffic without a row of its own">
      up to {rate(most, view.value.unit)} more may match the filter
    </small>
  );
}

export function TrafficChart(): JSX.Element {
  const isTable = view.value.traffic === "table";
  const long = view.value.range === "5m" ? "Last 5 minutes" : "Last hour";
  return (
    <section class={`panel traffic ${oldClass(historyLong)}`} aria-labelledby="traffic-title">
      <div class="panel-head">
        <h2 id="traffic-title">
          Traffic <Unlisted />
        </h2>
        <button
          type="button"
          class="button"
          aria-pressed={isTable}
          onClick={() => show({ traffic: isTable ? "chart" : "table" })}
        >
          Show as table
        </button>
      </div>
      <Trouble query={historyLong} />
      {isTable ? (
        <div class="plots">
          <HistoryTable title={long} query={historyLong} />
          <HistoryTable title="Last 60 s" query={historyShort} />
        </div>
      ) : (
        <div class="plots">
          <Plot id="history-long" title={long} query={historyLong} class="plot-long" />
          <Plot id="history-short" title="Last 60 s" query={historyShort} class="plot-short" />
        </div>
      )}
    </section>
  );
}
