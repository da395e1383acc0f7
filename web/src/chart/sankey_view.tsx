/**
 * The Sankey view of the top flows, as SVG: senders, services, receivers.
 */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Graph } from "../api.ts";
import { bytes, counted, share, shortened, visible } from "../format.ts";
import { toggledAll } from "../filter.ts";
import { useSize } from "../parts.tsx";
import { show, view } from "../store.ts";
import { withinOther } from "./folded.ts";
import { NodeButtons } from "./node_buttons.tsx";
import { type Band, bandsOf, type Box, boxOf, pathOf } from "./sankey.ts";

const COLUMNS = ["sends", "service", "receives"] as const;

const touches = (band: Band, box: Box): boolean => band.source === box || band.target === box;

/** The box's place among its neighbours, by the arrow keys. */
function neighbourOf(boxes: Box[], present: number, dx: number, dy: number): number {
  const box = boxes[present];
  if (box === undefined) return present;
  const middle = (one: Box): number => ((one.y0 ?? 0) + (one.y1 ?? 0)) / 2;
  const candidates = boxes.filter((one) => {
    if (dx !== 0) return one.column === box.column + dx;
    return one.column === box.column && Math.sign(middle(one) - middle(box)) === dy;
  });
  const best = candidates.sort(
    (left, right) => Math.abs(middle(left) - middle(box)) - Math.abs(middle(right) - middle(box)),
  )[0];
  return best === undefined ? present : boxes.indexOf(best);
}

function Label(properties: { box: Box; width: number }): JSX.Element {
  const { box, width } = properties;
  const characters = Math.max(8, Math.floor(width / 3 / 7.5));
  const isLast = box.column === 2;
  return (
    <text
      x={isLast ? (box.x0 ?? 0) - 6 : (box.x1 ?? 0) + 6}
      y={((box.y0 ?? 0) + (box.y1 ?? 0)) / 2}
      dy="0.35em"
      text-anchor={isLast ? "end" : "start"}
    >
      {shortened(box.text, characters)}
      {width > 560 && (
        <tspan class="svg-muted" dx="6">
          {bytes(box.value ?? 0)}
        </tspan>
      )}
    </text>
  );
}

function BandPath(properties: { band: Band; marked: Box | null }): JSX.Element {
  const { band, marked } = properties;
  const [source, target] = [boxOf(band.source), boxOf(band.target)];
  const state = marked === null ? "" : touches(band, marked) ? "marked" : "faded";
  return (
    <path class={`band ${band.direction} ${state}`} d={pathOf(band)} stroke-width={Math.max(1, band.width ?? 1)}>
      <title>{`${visible(source?.text ?? "")} → ${visible(target?.text ?? "")}: ${bytes(band.value)}`}</title>
    </path>
  );
}

interface BoxMark {
  key: string;
  hasFocus: boolean;
}

function BoxShape(properties: {
  box: Box;
  sentence: string;
  width: number;
  isFocused: boolean;
  onMark(mark: BoxMark | null): void;
}): JSX.Element {
  const { box, sentence, width, isFocused, onMark } = properties;
  return (
    <g
      class={`box ${box.filterWords.length > 0 ? "points" : ""} ${isFocused ? "focused" : ""}`}
      onPointerEnter={() => onMark({ key: box.key, hasFocus: false })}
      onPointerLeave={() => onMark(null)}
      onClick={() => press(box)}
    >
      <rect
        class={box.isLocal === null ? "other" : box.isLocal ? "local" : "remote"}
        x={box.x0}
        y={box.y0}
        width={(box.x1 ?? 0) - (box.x0 ?? 0)}
        height={Math.max(1, (box.y1 ?? 0) - (box.y0 ?? 0))}
      >
        <title>{sentence}</title>
      </rect>
      <Label box={box} width={width} />
    </g>
  );
}

function press(box: Box | undefined): void {
  if (box !== undefined) show({ filter: toggledAll(view.peek().filter, box.filterWords) });
}

function sentenceOf(box: Box, bands: Band[]): string {
  const ends = bands.filter((band) => touches(band, box)).length;
  return `${shortened(box.text, 60)}, ${COLUMNS[box.column]}, ${bytes(box.value ?? 0)}, ${counted(ends, "band")}`;
}

function Share(properties: { part: number; of: number; width: number }): JSX.Element | null {
  const { part, of, width } = properties;
  if (of === 0) return null;
  return (
    <text class="svg-muted" x={width / 2} y={14} text-anchor="middle">
      {`The largest flows: ${bytes(part)} of ${bytes(of)} (${share(part, of)})`}
    </text>
  );
}

const keyOf = (band: Band): string => `${boxOf(band.source)?.key} ${boxOf(band.target)?.key} ${band.direction}`;

/** `of` is the bytes of all traffic, drawn or not. */
export function SankeyView(properties: { graph: Graph; of: number; describedBy: string }): JSX.Element {
  const { graph, of, describedBy } = properties;
  const [place, { width, height }] = useSize<HTMLDivElement>();
  const [mark, setMark] = useState<BoxMark | null>(null);
  const { boxes, bands, bytes: part } = useMemo(() => bandsOf(graph, width, height), [graph, width, height]);
  const marked = boxes.find((box) => box.key === mark?.key) ?? null;
  const at = (index: number): string => (boxes[index] === undefined ? "" : sentenceOf(boxes[index], bands));
  const label = "Top flows: senders, services, receivers";
  return (
    <div class="sankey" ref={place}>
      {graph.edges.length === 0 && <p class="empty">{withinOther(graph)}</p>}
      <svg width={width} height={height} role="img" aria-label={label} aria-describedby={describedBy}>
        <Share part={part} of={of} width={width} />
        <g class="bands">
          {bands.map((band) => (
            <BandPath key={keyOf(band)} band={band} marked={marked} />
          ))}
        </g>
        {boxes.map((box, index) => (
          <BoxShape
            key={box.key}
            box={box}
            sentence={at(index)}
            width={width}
            isFocused={box === marked && mark?.hasFocus === true}
            onMark={setMark}
          />
        ))}
      </svg>
      <NodeButtons
        label="Boxes of the chart; the arrow keys move between them, Enter filters"
        keys={boxes.map((box) => box.key)}
        name={(index) => visible(boxes[index]?.text ?? "")}
        sentence={at}
        next={(index, dx, dy) => neighbourOf(boxes, index, dx, dy)}
        onFocus={(index) => setMark(index === null ? null : { key: boxes[index]?.key ?? "", hasFocus: true })}
        onPress={(index) => press(boxes[index])}
      />
    </div>
  );
}
