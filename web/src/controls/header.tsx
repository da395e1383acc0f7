/**
 * The head of the page: the state of the link, the filter, and the controls of the view.
 */

import type { JSX } from "preact";
import { ago, duration } from "../format.ts";
import { age, link, now, paused, pauseSentence, received, show, shown, togglePause, view } from "../store.ts";
import { Choice } from "../parts.tsx";
import { THEMES, theme, type Theme } from "../theme.ts";
import { FilterBox } from "./filter_box.tsx";

function LinkState(): JSX.Element {
  const { state, sentence } = link.value;
  if (state === "lost") {
    const text = received.value === 0 ? "No answer" : `${duration(age.value)} old`;
    return (
      <span class="pill critical" title={sentence ?? ""}>
        {text}
      </span>
    );
  }
  const pause = pauseSentence.value;
  if (pause !== null)
    return (
      <span class="pill warning" title={ago(paused.value ?? now.value, now.value)}>
        {pause}
      </span>
    );
  if (state === "connecting" && received.value === 0) return <span class="pill">Connecting</span>;
  if (shown.value?.mode === "file")
    return (
      <span class="pill ok" title="The traffic comes from a capture file">
        File
      </span>
    );
  const title =
    state === "stream" ? "Figures arrive as they change" : "No event stream: figures are asked for every 5 s";
  return (
    <span class="pill ok" title={title}>
      {state === "stream" ? "Live" : "Polling"}
    </span>
  );
}

const THEME_NAMES: Record<Theme, string> = { auto: "Auto", light: "Light", dark: "Dark" };

function ThemeChoice(): JSX.Element {
  return (
    <label class="select">
      <span class="unseen">Theme</span>
      <select
        value={theme.value}
        title="Theme"
        onChange={(event) => (theme.value = event.currentTarget.value as Theme)}
      >
        {THEMES.map((value) => (
          <option key={value} value={value} selected={value === theme.value}>
            {THEME_NAMES[value]}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Header(): JSX.Element {
  const isPaused = paused.value !== null;
  return (
    <header class="head">
      <div class="brand">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <g fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round">
            <path d="M7 23c8 0 6-14 18-14" />
            <path d="M7 9c8 0 6 14 18 14" opacity=".5" />
          </g>
          <g fill="currentColor">
            <circle cx="6" cy="9" r="4" />
            <circle cx="6" cy="23" r="4" />
            <circle cx="26" cy="9" r="4" />
            <circle cx="26" cy="23" r="4" />
          </g>
        </svg>
        <h1>trafficmonitor</h1>
        <LinkState />
      </div>
      <FilterBox />
      <div class="controls">
        <Choice
          label="Time range"
          value={view.value.range}
          options={[
            ["live", "Live", "The last 60 s"],
            ["5m", "5 min", "The last 5 minutes"],
            ["1h", "1 h", "The last hour"],
            ["all", "All", "Since the start"],
          ]}
          onChange={(range) => show({ range })}
        />
        <Choice
          label="Unit of rates"
          value={view.value.unit}
          options={[
            ["bits", "bits", "Rates in bits per second"],
            ["bytes", "bytes", "Rates in bytes per second"],
          ]}
          onChange={(unit) => show({ unit }, "same")}
        />
        <button
          type="button"
          class="button pause"
          aria-pressed={isPaused}
          onClick={togglePause}
          title="Hold the figures, charts and tables still. Alerts stay live."
        >
          {isPaused ? "Resume" : "Pause"}
        </button>
      </div>
      <ThemeChoice />
    </header>
  );
}
