/**
 * Colours of the page. It gives the theme that the user chose and the colours of the style sheet for charts that are drawn by
 * script, and knows no figure.
 */

import { computed, effect, signal } from "@preact/signals";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "trafficmonitor.theme";

// A browser may forbid storage.
function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "auto";
  } catch {
    return "auto";
  }
}

export const theme = signal<Theme>(stored());

const dark = matchMedia("(prefers-color-scheme: dark)");
const prefersDark = signal(dark.matches);
dark.addEventListener("change", () => (prefersDark.value = dark.matches));

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
export const reducesMotion = signal(reduced.matches);
reduced.addEventListener("change", () => (reducesMotion.value = reduced.matches));

const NAMES = [
  "text",
  "muted",
  "surface",
  "line",
  "incoming",
  "outgoing",
  "local",
  "transit",
  "critical",
  "warning",
  "focus",
  "local-node",
  "remote-node",
  "other-node",
] as const;
export type Palette = Record<(typeof NAMES)[number], string>;

function read(): Palette {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = Object.fromEntries(NAMES.map((name) => [name, colour(name)])) as Palette;
  probe.remove();
  return palette;
}

/** The colours of the present theme. */
export const palette = computed<Palette>(() => {
  void prefersDark.value;
  document.documentElement.dataset["theme"] = theme.value;
  return read();
});

export function followTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
    try {
      localStorage.setItem(KEY, theme.value);
    } catch {
      // The choice holds until the page is closed.
    }
  });
}
