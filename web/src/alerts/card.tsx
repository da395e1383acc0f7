/**
 * One alert: a line that opens, and below it all that is known.
 */

import type { JSX } from "preact";
import type { Alert, Names } from "../api.ts";
import { destinationWord, hostWord } from "../filter.ts";
import { ago, bytes, count, dateTime, duration, figure, moment, safeLink, shortened, visible } from "../format.ts";
import { show, shown, trafficNow, view } from "../store.ts";
import { CopyButton, FilterLink } from "../parts.tsx";
import { type Range, shortestRange } from "../state.ts";
import { graphAddress } from "../tables/promql.ts";
import { kindName, originText, processText, SEVERITY_NAMES } from "../words.ts";
import { cardId, episode } from "./open.ts";
import { Sentence } from "./sentence.tsx";

const EVENT_NAMES: Record<string, string> = {
  pending: "Pending",
  firing: "Firing",
  peak: "Peak",
  resolved: "Resolved",
};

/** The value as a bar whose mark is the limit. */
function Meter(properties: { alert: Alert }): JSX.Element {
  const { value, limit, unit, peak } = properties.alert;
  const end = Math.max(value, limit, peak?.value ?? 0) * 1.05;
  const at = (figure: number): string => `${end > 0 ? (100 * figure) / end : 0}%`;
  return (
    <div class="meter">
      <span class="meter-track" aria-hidden="true">
        {peak !== null && <span class="meter-peak" style={{ width: at(peak.value) }} />}
        <span class="meter-value" style={{ width: at(value) }} />
        <span class="meter-limit" style={{ left: at(limit) }} />
      </span>
      <span>
        <b>{figure(value, unit)}</b>, limit {figure(limit, unit)}
        {limit > 0 && ` (${(value / limit).toFixed(1)} × the limit)`}
        {peak !== null && `; peak ${figure(peak.value, unit)}`}
      </span>
    </div>
  );
}

function Timeline(properties: { alert: Alert }): JSX.Element {
  return (
    <ol class="timeline" aria-label="Timeline">
      {properties.alert.timeline.map(({ at, event }) => (
        <li key={`${at} ${event}`} class={`event-${/^[a-z]+$/.test(event) ? event : "other"}`}>
          <b>{EVENT_NAMES[event] ?? visible(event)}</b> <time dateTime={at}>{dateTime(moment(at))}</time>
        </li>
      ))}
    </ol>
  );
}

/** A target may be an address, an address with a port, or an address and a protocol without ports. */
function addressOf(target: string): string | null {
  const bracketed = /^\[([0-9a-f:.]+)\]/i.exec(target);
  if (bracketed !== null) return bracketed[1] ?? null;
  const dotted = /^(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])/.exec(target);
  if (dotted !== null) return dotted[1] ?? null;
  return /^([0-9a-f]*:[0-9a-f:]*:[0-9a-f.]*)(?: |$)/i.exec(target)?.[1] ?? null;
}

/** Longest text about an address, in characters. */
const KNOWN_CHARACTERS = 60;

/** Service, name and origin of an address, behind it. */
function Known(properties: { service?: string | null; name: string | null; names: Names | null }): JSX.Element | null {
  const { service, name, names } = properties;
  const parts = [service ?? null, name, names === null ? null : originText(names)];
  const text = parts.filter((part) => part !== null && part !== "").join(" – ");
  return text === "" ? null : (
    <bdi class="muted" title={visible(text)}>
      {shortened(text, KNOWN_CHARACTERS)}
    </bdi>
  );
}

function Targets(properties: { title: string; targets: string[]; known: Alert["targets"] }): JSX.Element | null {
  const known = new Map(properties.known.map((target) => [target.target, target]));
  if (properties.targets.length === 0) return null;
  return (
    <div class="targets">
      <dt>{properties.title}</dt>
      <dd>
        {properties.targets.map((target) => {
          const address = addressOf(target);
          const about = known.get(target);
          return (
            <span class="target" key={target}>
              {address === null ? (
                <bdi>{visible(target)}</bdi>
              ) : (
                <FilterLink word={hostWord(address)}>{visible(target)}</FilterLink>
              )}
              {about !== undefined && <Known {...about} />}
            </span>
          );
        })}
      </dd>
    </div>
  );
}

/** The filter of the traffic that an alert is about. */
function trafficOf({ source, destination, network }: Alert): string {
  if (source === null) return network ?? (destination === null ? "" : destinationWord(destination));
  return destination === null ? hostWord(source) : `${hostWord(source)} ${hostWord(destination)}`;
}

/** The range for an alert's traffic: that of the view while it lasts, and later the shortest one that covers all of it. */
function rangeOf({ state, starts_at }: Alert): { range?: Range } {
  const start = moment(starts_at);
  if (state !== "resolved" || start === null) return {};
  return { range: shortestRange((trafficNow.peek() - start) / 1000) };
}

function Links(properties: { alert: Alert }): JSX.Element {
  const { alert } = properties;
  const traffic = trafficOf(alert);
  const evidence = safeLink(alert.evidence_url);
  const runbook = safeLink(alert.runbook_url);
  const graph = alert.promql === null ? null : graphAddress(shown.value?.prometheus_url ?? null, alert.promql);
  return (
    <p class="links">
      {traffic !== "" && (
        <button type="button" class="button" onClick={() => show({ filter: traffic, ...rangeOf(alert) })}>
          Show its traffic
        </button>
      )}
      {evidence !== null && (
        <a class="button" href={evidence} download>
          Evidence (capture file)
        </a>
      )}
      {runbook !== null && (
        <a class="button" href={runbook} target="_blank" rel="noopener noreferrer">
          Runbook
        </a>
      )}
      {alert.promql !== null && (
        <CopyButton class="button" text={alert.promql}>
          Copy as PromQL
        </CopyButton>
      )}
      {graph !== null && (
        <a class="button" href={graph} target="_blank" rel="noopener noreferrer">
          Show in Prometheus
        </a>
      )}
    </p>
  );
}

function Ends(properties: { alert: Alert }): JSX.Element {
  const { source, destination, network } = properties.alert;
  const { source_name, source_names, destination_name, destination_names } = properties.alert;
  return (
    <>
      {source !== null && (
        <div>
          <dt>Source</dt>
          <dd>
            <FilterLink word={hostWord(source)}>{visible(source)}</FilterLink>{" "}
            <Known name={source_name} names={source_names} />
          </dd>
        </div>
      )}
      {destination !== null && destination !== "" && (
        <div>
          <dt>Destination</dt>
          <dd>
            <FilterLink word={hostWord(destination)}>{visible(destination)}</FilterLink>{" "}
            <Known name={destination_name} names={destination_names} />
          </dd>
        </div>
      )}
      {network !== null && network !== "" && (
        <div>
          <dt>Network</dt>
          <dd>
            <FilterLink word={network}>{visible(network)}</FilterLink>
          </dd>
        </div>
      )}
    </>
  );
}

/** Figures by name: those that alerts of this kind have. */
function figuresOf({ bytes: volume, scan }: Alert): [string, string][] {
  if (scan === null) return volume === null ? [] : [["Bytes", bytes(volume)]];
  const about = (value: number): string => (scan.is_estimate ? "about " : "") + count(value);
  const service = scan.protocol === null ? "" : ` at ${scan.protocol}${scan.port === null ? "" : `/${scan.port}`}`;
  const place = (scan.network === null ? "" : ` of ${scan.network}`) + service;
  return [
    ["Tried", `${about(scan.tried)} ${scan.targets}${place}`],
    ["Failed", about(scan.failed)],
    ["Answered, not used", about(scan.touched)],
    ["Used", about(scan.used)],
  ];
}

function Figures(properties: { alert: Alert }): JSX.Element {
  return (
    <>
      {figuresOf(properties.alert).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{visible(text)}</dd>
        </div>
      ))}
    </>
  );
}

function Body(properties: { alert: Alert }): JSX.Element {
  const { alert } = properties;
  // Bandwidth alerts list the peers with the most bytes in place of targets in the order of time.
  const peers = [...new Set([...alert.first_targets, ...alert.last_targets])];
  return (
    <div class="card-body">
      {alert.explanation !== null && alert.explanation !== alert.sentence && <p>{visible(alert.explanation)}</p>}
      <Meter alert={alert} />
      <Timeline alert={alert} />
      <dl>
        <Ends alert={alert} />
        <div>
          <dt>Kind</dt>
          <dd>{visible(kindName(alert.kind))}</dd>
        </div>
        <div>
          <dt>Rule</dt>
          <dd>{visible(alert.rule)}</dd>
        </div>
        <div>
          <dt>Side</dt>
          <dd>{visible(alert.side)}</dd>
        </div>
        <Figures alert={alert} />
        {alert.processes.length > 0 && (
          <div>
            <dt>Local processes</dt>
            <dd>
              <bdi>{visible(alert.processes.map(processText).join(", "))}</bdi>
            </dd>
          </div>
        )}
        {alert.kind === "bandwidth" ? (
          <Targets title="Largest peers" targets={peers} known={alert.targets} />
        ) : (
          <>
            <Targets title="First targets" targets={alert.first_targets} known={alert.targets} />
            <Targets title="Last targets" targets={alert.last_targets} known={alert.targets} />
          </>
        )}
      </dl>
      <Links alert={alert} />
    </div>
  );
}

/** "for 3 min" or "3 min ago, lasted 20 s". */
function when(alert: Alert): string {
  const start = moment(alert.starts_at);
  const end = moment(alert.ends_at);
  if (start === null) return "";
  if (end === null) return `for ${duration((trafficNow.value - start) / 1000)}`;
  return `${ago(end, trafficNow.value)}, lasted ${duration((end - start) / 1000)}`;
}

export function Card(properties: { alert: Alert }): JSX.Element {
  const { alert } = properties;
  // A link from elsewhere knows the fingerprint alone.
  const isOpen =
    view.value.alert === episode(alert) || (alert.state !== "resolved" && view.value.alert === alert.fingerprint);
  const badge =
    alert.state === "firing" ? SEVERITY_NAMES[alert.severity] : alert.state === "pending" ? "Pending" : "Resolved";
  return (
    <li class={`card severity-${alert.severity} state-${alert.state}`} id={cardId(alert)}>
      <button
        type="button"
        class="card-head"
        aria-expanded={isOpen}
        onClick={() => show({ alert: isOpen ? "" : episode(alert) })}
      >
        <span class="badge">{badge}</span>
        <span class="card-kind">{visible(kindName(alert.kind))}</span>
        <span class="card-sentence">
          <Sentence alert={alert} />
        </span>
        <span class="muted card-when">{when(alert)}</span>
      </button>
      {isOpen && <Body alert={alert} />}
    </li>
  );
}
