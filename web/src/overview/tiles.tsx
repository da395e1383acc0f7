/**
 * The present rate of each direction; a press filters by the direction.
 */

import type { JSX } from "preact";
import { DIRECTIONS, type Direction } from "../api.ts";
import { directionWord, has } from "../filter.ts";
import { bytes, packetRate, rate } from "../format.ts";
import { rates, shown, view } from "../store.ts";
import { toggleWord } from "../parts.tsx";
import { DIRECTION_NAMES, DIRECTION_TITLES } from "../words.ts";

function Tile(properties: { direction: Direction }): JSX.Element {
  const { direction } = properties;
  const now = rates.value?.[direction] ?? null;
  const word = directionWord(direction);
  const total = view.value.filter === "" ? (shown.value?.totals[direction].bytes ?? null) : null;
  return (
    <button
      type="button"
      class={`tile ${direction}`}
      title={DIRECTION_TITLES[direction]}
      aria-pressed={has(view.value.filter, word)}
      onClick={() => toggleWord(word)}
    >
      <span class="tile-name">{DIRECTION_NAMES[direction]}</span>
      <span class="tile-rate">{rate(now?.bytes_per_second ?? null, view.value.unit)}</span>
      <span class="tile-more">
        <span>{packetRate(now?.packets_per_second ?? null)}</span>
        {total !== null && <span>{bytes(total)} total</span>}
      </span>
    </button>
  );
}

export function Tiles(): JSX.Element {
  return (
    <div class="tiles" role="group" aria-label="Rates now">
      {DIRECTIONS.map((direction) => (
        <Tile key={direction} direction={direction} />
      ))}
    </div>
  );
}
