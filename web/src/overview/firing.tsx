/**
 * Firing alerts in short; a press opens the alert among the others.
 */

import type { JSX } from "preact";
import type { Alert } from "../api.ts";
import { ago, counted, duration, moment, visible } from "../format.ts";
import { activeAlerts, age, link, show, snapshot, trafficNow, view } from "../store.ts";
import { Trouble } from "../parts.tsx";
import { openAlert } from "../alerts/open.ts";
import { SEVERITY_NAMES } from "../words.ts";

function Entry(properties: { alert: Alert }): JSX.Element {
  const { alert } = properties;
  return (
    <li>
      <button type="button" class={`firing severity-${alert.severity}`} onClick={() => openAlert(alert)}>
        <span class="badge">{alert.state === "pending" ? "Pending" : SEVERITY_NAMES[alert.severity]}</span>
        <span class="firing-sentence">
          <bdi>{visible(alert.sentence)}</bdi>
          {alert.source_name !== null && <bdi class="muted"> ({visible(alert.source_name)})</bdi>}
        </span>
        <span class="muted firing-age">{ago(moment(alert.starts_at) ?? 0, trafficNow.value)}</span>
      </button>
    </li>
  );
}

function NoAlert(): JSX.Element {
  // Old news are no all-clear.
  if (link.value.state === "lost") return <p class="empty">No alert was firing {duration(age.value)} ago.</p>;
  return <p class="empty calm">No alert is firing.</p>;
}

function hiddenByFilter(matching: number): number {
  const counts = snapshot.value?.alerts;
  return view.value.filter === "" || counts === undefined ? 0 : Math.max(0, counts.firing + counts.pending - matching);
}

export function Firing(): JSX.Element {
  const answer = activeAlerts.answer.value;
  const active = answer?.active ?? [];
  const firing = active.filter((alert) => alert.state === "firing").length;
  const hidden = answer === null ? 0 : hiddenByFilter(active.length);
  return (
    <section class="panel firing-panel" aria-labelledby="firing-title">
      <div class="panel-head">
        <h2 id="firing-title">
          Alerts <small>{answer === null ? "" : `${firing} firing`}</small>
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
        {active.map((alert) => (
          <Entry key={alert.fingerprint} alert={alert} />
        ))}
      </ul>
    </section>
  );
}
