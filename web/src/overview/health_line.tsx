/**
 * One line that says whether the monitor sees all traffic, and the checks behind it.
 */

import type { JSX } from "preact";
import type { Health, Status } from "../api.ts";
import { interfaceWord } from "../filter.ts";
import { bytes, count, duration, NONE, share, visible } from "../format.ts";
import { age, health, isHealthOpen, isOutdated, link, received, snapshot } from "../store.ts";
import { FilterLink, Trouble } from "../parts.tsx";
import { STATUS_NAMES } from "../words.ts";

function present(): { status: Status | "waiting"; sentence: string } {
  const { state, sentence } = link.value;
  if (state === "lost") {
    const old = received.value === 0 ? "There are no figures yet." : `The figures are ${duration(age.value)} old.`;
    return { status: "critical", sentence: `${sentence ?? "The exporter cannot be reached."} ${old}` };
  }
  return snapshot.value?.health ?? { status: "waiting", sentence: "Waiting for the first figures." };
}

function Interfaces(properties: { interfaces: Health["interfaces"] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Interfaces">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Interface</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Received
            </th>
            <th scope="col" class="number">
              Dropped by kernel
            </th>
            <th scope="col" class="number">
              Dropped by interface
            </th>
            <th scope="col" class="number">
              Coverage
            </th>
            <th scope="col" class="number">
              Bytes
            </th>
          </tr>
        </thead>
        <tbody>
          {properties.interfaces.map((one) => (
            <tr key={one.name}>
              <th scope="row">
                <FilterLink word={interfaceWord(one.name)}>{visible(one.name)}</FilterLink>
              </th>
              <td>{one.up === null ? NONE : one.up ? "up" : <strong class="is-critical">down</strong>}</td>
              <td class="number">{count(one.received)}</td>
              <td class="number">{count(one.dropped_by_kernel)}</td>
              <td class="number">{count(one.dropped_by_interface)}</td>
              <td
                class="number"
                title={
                  one.coverage_ratio === null
                    ? "Not known: the interface has no counters that the capture can be compared with, or has counted nothing yet"
                    : undefined
                }
              >
                {one.coverage_ratio === null ? NONE : share(one.coverage_ratio, 1)}
              </td>
              <td class="number">{bytes(one.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Details(): JSX.Element {
  const answer = health.answer.value;
  return (
    <div id="health-details" class="health-details panel">
      <Trouble query={health} />
      {answer !== null && (
        <>
          <ul class="checks">
            {answer.checks.map((check) => (
              <li key={check.name} class={`status-${check.status}`}>
                <span class="badge">{STATUS_NAMES[check.status]}</span> <b>{visible(check.name)}</b>{" "}
                {visible(check.sentence)}
              </li>
            ))}
          </ul>
          <Interfaces interfaces={answer.interfaces} />
          <p class="muted">
            Running for {duration(answer.uptime_seconds)}. Memory of the tables:{" "}
            {bytes(answer.memory.reduce((sum, part) => sum + part.bytes, 0))}
            {answer.memory.length > 0 &&
              ` (${answer.memory.map((part) => `${visible(part.part)} ${bytes(part.bytes)}`).join(", ")})`}
            .
          </p>
        </>
      )}
    </div>
  );
}

export function HealthLine(): JSX.Element {
  const { status, sentence } = present();
  return (
    <section aria-label="Capture health">
      <div class={`health status-${status}`}>
        <span class="badge">{status === "waiting" ? "…" : STATUS_NAMES[status]}</span>
        <p>{visible(sentence)}</p>
        {isOutdated.value && (
          <button type="button" class="button" onClick={() => location.reload()}>
            New version: reload the page
          </button>
        )}
        <button
          type="button"
          class="button"
          aria-expanded={isHealthOpen.value}
          aria-controls="health-details"
          onClick={() => (isHealthOpen.value = !isHealthOpen.peek())}
        >
          Checks
        </button>
      </div>
      {isHealthOpen.value && <Details />}
    </section>
  );
}
