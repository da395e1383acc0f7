/**
 * Firing alerts in short; a press opens the alert among the others.
 */

import type { JSX } from "preact";
import type { Alert } from "../api.ts";
import { ago, count, counted, duration, moment } from "../format.ts";
import { activeCounts, isFiltered, outside } from "../derived.ts";
import { activeAlerts, age, link, show, snapshot, trafficNow } from "../store.ts";
import { oldClass, Trouble } from "../parts.tsx";
import { openAlert } from "../alerts/open.ts";
import { Sentence, sentenceText } from "../alerts/sentence.tsx";
import { DETECTION_IS_OFF, outsideText, SEVERITY_NAMES } from "../words.ts";

function Entry(properties: { alert: Alert }): JSX.Element {
  const { alert } = properties;
  return (
    <li>
      <button type="button" class={`firing severity-${alert.severity}`} onClick={() => openAlert(alert)}>
        <span class="badge">{alert.state === "pending" ? "Pending" : SEVERITY_NAMES[alert.severity]}</span>
        <span class="firing-sentence" title={sentenceText(alert)}>
          <Sentence alert={alert} />
        </span>
        <span class="muted firing-age">{ago(moment(alert.starts_at) ?? 0, trafficNow.value)}</span>
      </button>
    </li>
  );
}

function NoAlert(): JSX.Element {
  // Old news are no all-clear.
  if (link.value.state === "lost") return <p class="empty">No alert was firing {duration(age.value)} ago.</p>;
  // Nor is a detection that is off.
  if (snapshot.value?.alerts.detects === false) return <p class="empty">{DETECTION_IS_OFF}</p>;
  // Nor is a filter that leaves alerts out.
  const { firing, pending } = outside.value;
  if (firing + pending > 0) return <p class="empty">{outsideText(firing, pending)}</p>;
  return <p class="empty calm">No alert is firing.</p>;
}

/** Alerts in this short list; the panel of alerts has the others. */
const SHORT = 100;

function toAllAlerts(): void {
  show({ alerts: "active" });
  document.querySelector(".panel.alerts")?.scrollIntoView();
}

function More(): JSX.Element | null {
  const { matching, isCut } = activeCounts.value;
  const more = matching.active - SHORT;
  if (more <= 0) return null;
  return (
    <li>
      <button type="button" class="button firing-more" onClick={toAllAlerts}>
        {count(more)}
        {isCut && isFiltered(activeAlerts) ? "+" : ""} more
      </button>
    </li>
  );
}

export function Firing(): JSX.Element {
  const answer = activeAlerts.answer.value;
  const active = answer?.active ?? [];
  const { matching, isCut } = activeCounts.value;
  const isLeast = isCut && isFiltered(activeAlerts);
  const hidden = outside.value.firing + outside.value.pending;
  return (
    <section class={`panel firing-panel ${oldClass(activeAlerts)}`} aria-labelledby="firing-title">
      <div class="panel-head">
        <h2 id="firing-title">
          Alerts <small>{answer === null ? "" : `${count(matching.firing)}${isLeast ? "+" : ""} firing`}</small>
        </h2>
        {hidden > 0 && (
          <button type="button" class="button" onClick={() => show({ filter: "" })}>
            {counted(hidden, "more alert")} outside the filter
          </button>
        )}
      </div>
      <Trouble query={activeAlerts} />
      {answer !== null && active.length === 0 && <NoAlert />}
      <ul class="firing-list">
        {active.slice(0, SHORT).map((alert) => (
          <Entry key={alert.fingerprint} alert={alert} />
        ))}
        <More />
      </ul>
    </section>
  );
}
