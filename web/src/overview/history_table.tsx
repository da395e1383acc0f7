/**
 * Traffic over time as a table: the text alternative of a chart.
 */

import type { JSX } from "preact";
import { DIRECTIONS, type History } from "../api.ts";
import { count, rate, stamp } from "../format.ts";
import type { Query } from "../query.ts";
import { view } from "../store.ts";
import { DIRECTION_NAMES } from "../words.ts";

export function HistoryTable(properties: { title: string; query: Query<History> }): JSX.Element {
  const history = properties.query.answer.value;
  const indices = history === null ? [] : history.times.map((_, index) => index).reverse();
  return (
    <div
      class="scroll history-table"
      tabIndex={0}
      role="region"
      aria-label={`Traffic, ${properties.title.toLowerCase()}`}
    >
      <table class="plain">
        <caption>{properties.title}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {DIRECTIONS.map((direction) => (
              <th scope="col" class="number" key={direction}>
                {DIRECTION_NAMES[direction]}
              </th>
            ))}
            <th scope="col" class="number">
              Dropped packets
            </th>
          </tr>
        </thead>
        <tbody>
          {indices.map((index) => (
            <tr key={history?.times[index]}>
              <th scope="row">{stamp((history?.times[index] ?? 0) * 1000)}</th>
              {DIRECTIONS.map((direction) => (
                <td class="number" key={direction}>
                  {rate(history?.bytes_per_second[direction][index] ?? null, view.value.unit)}
                </td>
              ))}
              <td class="number">{count(history?.dropped[index] ?? null)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
