/**
 * The Sankey view of the top flows, as SVG: senders, services, receivers.
 */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Graph } from "../api.ts";
import { bytes, counted, share, shortened, visible } from "../format.ts";
import { toggleWord, useSize } from "../parts.tsx";
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

export function SankeyView(properties: { graph: Graph; describedBy: string }): JSX.Element {
  const [place, { width, height }] = useSize<HTMLDivElement>();
  const [marked, setMarked] = useState<{ key: string; hasFocus: boolean } | null>(null);
  const {
    boxes,
    bands,
    share: part,
  } = useMemo(() => bandsOf(properties.graph, width, height), [properties.graph, width, height]);
  const markedBox = boxes.find((box) => box.key === marked?.key) ?? null;
  const press = (box: Box | undefined): void => box?.filterWords.forEach(toggleWord);
  const sentence = (box: Box): string => {
    const ends = bands.filter((band) => touches(band, box)).length;
    return `${shortened(box.text, 60)}, ${COLUMNS[box.column]}, ${bytes(box.value ?? 0)}, ${counted(ends, "band")}`;
  };
  return (
    <div class="sankey" ref={place}>
      <svg
        width={width}
        height={height}
        role="img"
        aria-label="Top flows: senders, services, receivers"
        aria-describedby={properties.describedBy}
      >
        {part.of > 0 && (
          <text class="svg-muted" x={width / 2} y={14} text-anchor="middle">
            {`The largest flows: ${bytes(part.bytes)} of ${bytes(part.of)} (${share(part.bytes, part.of)})`}
          </text>
        )}
        <g class="bands">
          {bands.map((band) => {
            const isMarked = markedBox !== null && touches(band, markedBox);
            const [source, target] = [boxOf(band.source), boxOf(band.target)];
            return (
              <path
                key={`${source?.key} ${target?.key} ${band.direction}`}
                class={`band ${band.direction} ${markedBox === null ? "" : isMarked ? "marked" : "faded"}`}
                d={pathOf(band)}
                stroke-width={Math.max(1, band.width ?? 1)}
              >
                <title>{`${visible(source?.text ?? "")} → ${visible(target?.text ?? "")}: ${bytes(band.value)}`}</title>
              </path>
            );
          })}
        </g>
        {boxes.map((box) => (
          <g
            key={box.key}
            class={`box ${box.filterWords.length > 0 ? "points" : ""} ${box.key === marked?.key && marked.hasFocus ? "focused" : ""}`}
            onPointerEnter={() => setMarked({ key: box.key, hasFocus: false })}
            onPointerLeave={() => setMarked(null)}
            onClick={() => press(box)}
          >
            <rect
              class={box.isLocal === null ? "other" : box.isLocal ? "local" : "remote"}
              x={box.x0}
              y={box.y0}
              width={(box.x1 ?? 0) - (box.x0 ?? 0)}
              height={Math.max(1, (box.y1 ?? 0) - (box.y0 ?? 0))}
            >
              <title>{sentence(box)}</title>
            </rect>
            <Label box={box} width={width} />
          </g>
        ))}
      </svg>
      <NodeButtons
        label="Boxes of the chart; the arrow keys move between them, Enter filters"
        keys={boxes.map((box) => box.key)}
        name={(index) => visible(boxes[index]?.text ?? "")}
        sentence={(index) => (boxes[index] === undefined ? "" : sentence(boxes[index]))}
        next={(index, dx, dy) => neighbourOf(boxes, index, dx, dy)}
        onFocus={(index) => setMarked(index === null ? null : { key: boxes[index]?.key ?? "", hasFocus: true })}
        onPress={(index) => press(boxes[index])}
      />
    </div>
  );
}
