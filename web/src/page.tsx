/**
 * The page: its panels in their order.
 */

import { render, type JSX } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/head.css";
import "./styles/overview.css";
import "./styles/chart.css";
import "./styles/tables.css";
import "./styles/alerts.css";
import { Alerts } from "./alerts/alerts.tsx";
import { Network } from "./chart/network.tsx";
import { Header } from "./controls/header.tsx";
import { counted, dateTime, moment, visible } from "./format.ts";
import { Firing } from "./overview/firing.tsx";
import { HealthLine } from "./overview/health_line.tsx";
import { Tiles } from "./overview/tiles.tsx";
import { TopHosts } from "./overview/top_hosts.tsx";
import { TrafficChart } from "./overview/traffic_chart.tsx";
import { announcement, snapshot, start } from "./store.ts";
import { Tables } from "./tables/tables.tsx";
import { followTheme } from "./theme.ts";

function Foot(): JSX.Element {
  const last = snapshot.value;
  return (
    <footer class="foot muted">
      <span>trafficmonitor {visible(last?.program ?? "")}</span>
      {last !== null && (
        <>
          <span>
            {last.mode === "file" ? "Capture file" : `Interfaces: ${last.interfaces.map(visible).join(", ")}`}
          </span>
          <span>Local: {last.local_networks.map(visible).join(", ")}</span>
          <span>
            {counted(last.flows, "flow")}, {counted(last.hosts, "host")} since {dateTime(moment(last.started))}
          </span>
        </>
      )}
      <a href="metrics">Metrics</a>
      <a href="active">Active flows</a>
      <a href="api/v1/alerts">Alerts as JSON</a>
    </footer>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("figures")?.focus();
}

function Page(): JSX.Element {
  return (
    <>
      <a class="skip" href="#figures" onClick={skip}>
        Skip to the figures
      </a>
      <Header />
      <main id="figures" tabIndex={-1}>
        <HealthLine />
        <div class="overview">
          <Tiles />
          <Firing />
          <TrafficChart />
        </div>
        <div class="talk">
          <Network />
          <TopHosts />
        </div>
        <Tables />
        <Alerts />
      </main>
      <Foot />
      <p class="unseen" aria-live="polite">
        {visible(announcement.value)}
      </p>
    </>
  );
}

/** The title of the tab says what is wrong while another tab is open. */
function followTitle(): void {
  snapshot.subscribe((last) => {
    const firing = last?.alerts.firing ?? 0;
    document.title = firing > 0 ? `(${firing}) trafficmonitor` : "trafficmonitor";
  });
}

export function startPage(): void {
  const place = document.getElementById("page");
  if (place === null) return;
  followTheme();
  start();
  followTitle();
  render(<Page />, place);
}
