/**
 * Figures and text for people. It takes numbers, times and names, gives text, and knows no element of the page.
 */

/** Stands for an absent value. */
export const NONE = "–";

export type Unit = "bits" | "bytes";

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

/** Three significant digits and an SI prefix: 1234567 → ["1.23", "M"]. */
function scaled(value: number): [string, string] {
  let rest = Math.abs(value);
  let step = 0;
  // 999.5 would round to 1000.
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits = rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  const text = step === 0 && Number.isInteger(rest) ? String(rest) : rest.toFixed(digits);
  return [value < 0 ? `-${text}` : text, PREFIXES[step] ?? ""];
}

function withUnit(value: number | null, unit: string): string {
  if (value === null || !Number.isFinite(value)) return NONE;
  const [text, prefix] = scaled(value);
  return `${text} ${prefix}${unit}`;
}

/** A number of bytes: "1.23 MB". */
export const bytes = (value: number | null): string => withUnit(value, "B");

/** Bytes per second in the unit that the user chose: "9.84 Mbit/s" or "1.23 MB/s". */
export function rate(bytesPerSecond: number | null, unit: Unit): string {
  if (bytesPerSecond === null) return NONE;
  return unit === "bits" ? withUnit(bytesPerSecond * 8, "bit/s") : withUnit(bytesPerSecond, "B/s");
}

/** Packets per second: "10.7k packets/s". */
export function packetRate(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NONE;
  return `${scaled(value).join("")} packets/s`;
}

/** A count with thousands apart: "12,345". */
export function count(value: number | null): string {
  return value === null || !Number.isFinite(value) ? NONE : Math.round(value).toLocaleString("en-US");
}

/** A count of things by name: "1 host", "12 hosts". */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** A share of a whole: "12 %", or "<1 %". */
export function share(part: number, whole: number): string {
  if (!(whole > 0)) return NONE;
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 1) return "<1 %";
  return `${Math.round(percent)} %`;
}

/** A duration of at most two units: "3 min 20 s". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [large, small, largeName, smallName] =
    whole < 3600
      ? [Math.floor(whole / 60), whole % 60, "min", "s"]
      : whole < 86_400
        ? [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), "h", "min"]
        : [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), "d", "h"];
  return small === 0 ? `${large} ${largeName}` : `${large} ${largeName} ${small} ${smallName}`;
}

/** The time between two moments, of one unit: "12 s ago". `now` and `then` are milliseconds. */
export function ago(then: number, now: number): string {
  const seconds = Math.round((now - then) / 1000);
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Milliseconds of an RFC 3339 time; null where it is absent or wrong. */
export function moment(text: string | null): number | null {
  if (text === null) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day in the time zone of the browser: "14:03:22". */
export function clock(time: number): string {
  const at = new Date(time);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Date and time of day in the time zone of the browser: "2026-03-17 14:03:22". */
export function dateTime(time: number | null): string {
  if (time === null) return NONE;
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(time)}`;
}

/** The time of day; with the date if that is not today, as in a capture file. */
export const stamp = (time: number): string =>
  new Date(time).toDateString() === new Date().toDateString() ? clock(time) : dateTime(time);

/** The time of day, with the date if it is not the day of `now`. */
export function shortTime(time: number | null, now: number): string {
  if (time === null) return NONE;
  return new Date(time).toDateString() === new Date(now).toDateString() ? clock(time) : dateTime(time).slice(5, 16);
}

// Control characters, directional overrides and characters without width change how the text around them reads.
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text from the network with what cannot be seen made visible as "�". */
export const visible = (text: string): string => text.replace(INVISIBLE, "\ufffd");

/** Visible text of at most `most` characters; the rest becomes "…". */
export function shortened(text: string, most: number): string {
  const characters = [...visible(text)];
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most - 1).join("")}…`;
}

/** A link that leads to a web page or stays on the exporter; null for any other scheme. */
export function safeLink(address: string | null): string | null {
  if (address === null || address === "") return null;
  if (/^\/(?![/\\])/.test(address)) return address.slice(1);
  return /^https?:\/\//i.test(address) ? address : null;
}

/** A figure of an alert in the unit of its rule. */
export function figure(value: number, unit: string): string {
  if (unit === "bytes") return bytes(value);
  if (unit === "probability") return value.toFixed(2);
  return `${count(value)} ${unit}`;
}
