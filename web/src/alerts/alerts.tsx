/**
 * Active and resolved alerts, each with its figures, times, targets, evidence and runbook.
 */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Alert } from "../api.ts";
import { count } from "../format.ts";
import { activeCounts, isFiltered, outside } from "../derived.ts";
import { activeAlerts, resolvedAlerts, resolvedLimit, show, snapshot, view } from "../store.ts";
import { Choice, oldClass, Trouble, useNear } from "../parts.tsx";
import { DETECTION_IS_OFF, outsideText } from "../words.ts";
import { Card } from "./card.tsx";
import { episode } from "./open.ts";

const MORE = 100;

/** `none` is said in place of no alerts; it is an all-clear if `isCalm` is true. */
function List(properties: { alerts: Alert[] | null; none: string; isCalm: boolean }): JSX.Element {
  if (properties.alerts === null) return <p class="empty">Waiting for alerts.</p>;
  if (properties.alerts.length === 0) {
    const isOff = snapshot.value?.alerts.detects === false;
    if (isOff) return <p class="empty">{DETECTION_IS_OFF}</p>;
    return <p class={`empty ${properties.isCalm ? "calm" : ""}`}>{properties.none}</p>;
  }
  return (
    <ul class="cards">
      {properties.alerts.map((alert) => (
        <Card key={`${alert.fingerprint} ${alert.starts_at}`} alert={alert} />
      ))}
    </ul>
  );
}

function Resolved(): JSX.Element {
  const answer = resolvedAlerts.answer.value;
  const most = answer?.resolved_limit ?? 0;
  const isOfFilter = isFiltered(resolvedAlerts);
  const mayHaveMore = answer !== null && answer.resolved.length >= resolvedLimit.value && resolvedLimit.value < most;
  return (
    <>
      <Trouble query={resolvedAlerts} />
      <List
        alerts={answer?.resolved ?? null}
        none={isOfFilter ? "No resolved alert matches the filter." : "No alert has resolved."}
        isCalm={!isOfFilter}
      />
      <p class="panel-foot muted">
        {mayHaveMore && (
          <button
            type="button"
            class="button"
            onClick={() => (resolvedLimit.value = Math.min(most, resolvedLimit.peek() + MORE))}
          >
            Show more
          </button>
        )}
        {answer !== null && `The last ${count(most)} are kept`}
        {answer !== null && answer.resolved_forgotten > 0 && `; ${count(answer.resolved_forgotten)} older ones are not`}
        {answer !== null && "."}
      </p>
    </>
  );
}

/** The first `most` alerts, and the open one. */
const firstOf = (alerts: Alert[] | null, most: number): Alert[] | null =>
  alerts?.filter((alert, index) => index < most || episode(alert) === view.value.alert) ?? null;

function Active(): JSX.Element {
  const [most, setMost] = useState(MORE);
  const { listed, matching, isCut } = activeCounts.value;
  const isLeast = isCut && isFiltered(activeAlerts);
  const { firing, pending } = outside.value;
  const isCalm = firing + pending === 0;
  return (
    <>
      <Trouble query={activeAlerts} />
      <List
        alerts={firstOf(activeAlerts.answer.value?.active ?? null, most)}
        none={isCalm ? "No alert is firing or pending." : outsideText(firing, pending)}
        isCalm={isCalm}
      />
      {(matching.active > most || isLeast) && (
        <p class="panel-foot muted">
          {listed.active > most && (
            <button type="button" class="button" onClick={() => setMost(most + MORE)}>
              Show more
            </button>
          )}
          {count(Math.max(0, matching.active - most))}
          {isLeast ? "+" : ""} more
          {isCut && `; the page lists the first ${count(listed.active)}`}.
        </p>
      )}
    </>
  );
}

export function Alerts(): JSX.Element {
  const near = useNear<HTMLElement>((isNear) => (resolvedAlerts.isActive.value = isNear));
  const which = view.value.alerts;
  useEffect(() => {
    resolvedLimit.value = 50;
  }, [which]);
  return (
    <section
      class={`panel alerts ${which === "active" ? oldClass(activeAlerts) : ""}`}
      aria-labelledby="alerts-title"
      ref={near}
    >
      <div class="panel-head">
        <h2 id="alerts-title">Alerts</h2>
        <Choice
          label="Alerts shown"
          value={which}
          options={[
            ["active", "Active"],
            ["resolved", "Resolved"],
          ]}
          onChange={(alerts) => show({ alerts, alert: "" })}
        />
      </div>
      {which === "active" ? <Active /> : <Resolved />}
    </section>
  );
}
