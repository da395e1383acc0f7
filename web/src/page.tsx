/**
 * The page: its panels in their order.
 */

import { effect } from "@preact/signals";
import { render, type JSX } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/head.css";
import "./styles/overview.css";
import "./styles/chart.css";
import "./styles/tables.css";
import "./styles/alerts.css";
import { fileTimes } from "./derived.ts";
import { Alerts } from "./alerts/alerts.tsx";
import { Network } from "./chart/network.tsx";
import { Header } from "./controls/header.tsx";
import { counted, dateTime, moment, visible } from "./format.ts";
import { Firing } from "./overview/firing.tsx";
import { HealthLine } from "./overview/health_line.tsx";
import { Tiles } from "./overview/tiles.tsx";
import { TopHosts } from "./overview/top_hosts.tsx";
import { TrafficChart } from "./overview/traffic_chart.tsx";
import { Guard } from "./guard.tsx";
import { announcement, link, snapshot, start } from "./store.ts";
import { Tables } from "./tables/tables.tsx";
import { followTheme } from "./theme.ts";

/** The time that the figures cover: for a file that of its packets. */
function covered(started: string): string {
  const times = fileTimes.value;
  if (times === null) return `since ${dateTime(moment(started))}`;
  return times.first === null
    ? `until ${dateTime(times.last)}`
    : `from ${dateTime(times.first)} to ${dateTime(times.last)}`;
}

function Foot(): JSX.Element {
  const last = snapshot.value;
  return (
    <footer class="foot muted">
      <span>trafficmonitor {visible(last?.program ?? "")}</span>
      {last !== null && (
        <>
          <span>
            {last.mode === "file" ? "Capture file" : "Interfaces"}: {last.interfaces.map(visible).join(", ")}
          </span>
          <span>Local: {last.local_networks.map(visible).join(", ")}</span>
          <span>
            {counted(last.flows, "flow")}, {counted(last.hosts, "host")} {covered(last.started)}
          </span>
        </>
      )}
      <a href="metrics">Metrics</a>
      <a href="active">Active alerts (JSON)</a>
      <a href="api/v1/alerts">All alerts (JSON)</a>
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
        <Guard name="Capture health">
          <HealthLine />
        </Guard>
        <div class="overview">
          <Guard name="Rates">
            <Tiles />
          </Guard>
          <Guard name="Alerts in short">
            <Firing />
          </Guard>
          <Guard name="Traffic">
            <TrafficChart />
          </Guard>
        </div>
        <div class="talk">
          <Guard name="Network flow">
            <Network />
          </Guard>
          <Guard name="Top hosts">
            <TopHosts />
          </Guard>
        </div>
        <Guard name="Tables">
          <Tables />
        </Guard>
        <Guard name="Alerts">
          <Alerts />
        </Guard>
      </main>
      <Guard name="Foot">
        <Foot />
      </Guard>
      <p class="unseen" aria-live="polite">
        {visible(announcement.value)}
      </p>
    </>
  );
}

/** The title of the tab says what is wrong while another tab is open. */
function followTitle(): void {
  effect(() => {
    const firing = snapshot.value?.alerts.firing ?? 0;
    const title = firing > 0 ? `(${firing}) trafficmonitor` : "trafficmonitor";
    document.title = link.value.state === "lost" ? `${title}: no answer` : title;
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
