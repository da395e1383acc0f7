/**
 * The hosts with the most bytes of the range, with what they sent and received.
 */

import type { JSX } from "preact";
import type { HostRow } from "../api.ts";
import { hostWord, has } from "../filter.ts";
import { bytes, rate, shortened, visible } from "../format.ts";
import { isWorthALine } from "../coverage.ts";
import { drawn, unlisted } from "../derived.ts";
import { refused, topHosts, view } from "../store.ts";
import { oldClass, toggleWord, Trouble } from "../parts.tsx";
import { NO_FIGURES, RANGE_NAMES } from "../words.ts";

function Bar(properties: { host: HostRow; most: number }): JSX.Element {
  const { host, most } = properties;
  const width = (value: number): string => `${most > 0 ? (100 * value) / most : 0}%`;
  return (
    <span class="bar" aria-hidden="true">
      <span class="received" style={{ width: width(host.received_bytes) }} />
      <span class="sent" style={{ width: width(host.sent_bytes) }} />
    </span>
  );
}

function Entry(properties: { host: HostRow; most: number }): JSX.Element {
  const { host, most } = properties;
  const word = hostWord(host.address);
  const title = `${visible(host.address)}: received ${bytes(host.received_bytes)}, sent ${bytes(host.sent_bytes)}`;
  return (
    <li>
      <button
        type="button"
        class="top-host"
        aria-pressed={has(view.value.filter, word)}
        title={title}
        onClick={() => toggleWord(word)}
      >
        <span class="top-name">
          {host.alerts > 0 && (
            <span class="alert-mark" title="Has a firing alert" aria-label="Has a firing alert:" role="img">
              !
            </span>
          )}
          <bdi>{shortened(host.name ?? host.address, 36)}</bdi>
          {host.name !== null && <bdi class="muted">{visible(host.address)}</bdi>}
        </span>
        <span class="top-rate">{rate(host.bytes_per_second, view.value.unit)}</span>
        <Bar host={host} most={most} />
      </button>
    </li>
  );
}

/** Traffic that no row of the list can stand for. */
function Unlisted(): JSX.Element | null {
  const without = unlisted.value ?? 0;
  const { of } = drawn.value ?? { of: 0 };
  const isFiltered = view.value.filter !== "";
  if (!isWorthALine(without, isFiltered ? of + without : of)) return null;
  return (
    <p class="panel-foot muted">
      {bytes(without)} more{" "}
      {isFiltered ? "without a row of their own may match the filter" : "without a row of their own"}.
    </p>
  );
}

export function TopHosts(): JSX.Element {
  const answer = topHosts.answer.value;
  const rows = answer?.rows ?? [];
  return (
    <section class={`panel top-hosts ${oldClass(topHosts)}`} aria-labelledby="top-hosts-title">
      <div class="panel-head">
        <h2 id="top-hosts-title">
          Top hosts <small>{RANGE_NAMES[view.value.range]}</small>
        </h2>
        <span class="key">
          <span class="swatch received" /> received <span class="swatch sent" /> sent
        </span>
      </div>
      <Trouble query={topHosts} />
      {answer === null && refused.value !== null && <p class="empty">{NO_FIGURES}</p>}
      {answer !== null && rows.length === 0 && <p class="empty">No host has traffic here.</p>}
      <ol>
        {rows.map((host) => (
          <Entry key={host.address} host={host} most={Math.max(...rows.map((row) => row.bytes))} />
        ))}
      </ol>
      <Unlisted />
    </section>
  );
}
