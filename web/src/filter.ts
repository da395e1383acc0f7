/**
 * The words of the filter box. It takes and gives the filter's text, and knows neither the API nor the page.
 */

/** A word as the API reads it. */
export interface Word {
  /** All of it, as it is written, and where it stands. */
  text: string;
  start: number;
  end: number;
  isNegated: boolean;
  /** The letters before the first colon; empty if there are none. */
  key: string;
  /** Without quotes and escapes. */
  value: string;
  /** True if the value stands in quotes. */
  isQuoted: boolean;
  /** True if the closing quote is missing. */
  isOpen: boolean;
}

/** What the API takes for a blank: unlike \s with U+0085, and without U+FEFF. */
const BLANK = /[^\S\ufeff]|\u0085/;
/** A value in quotes, at the beginning of a word or right behind its key. A backslash makes the next character literal. */
const QUOTED = /[-!]?(?:([a-z]+):)?"((?:[^"\\]|\\.)*)("?)/isy;

/** The word that begins at `start`. */
function wordFrom(filter: string, start: number): Word {
  QUOTED.lastIndex = start;
  const quoted = QUOTED.exec(filter);
  const isOpen = quoted !== null && quoted[3] === "";
  let end = isOpen ? filter.length : start + (quoted?.[0].length ?? 0);
  while (end < filter.length && !BLANK.test(filter.charAt(end))) end += 1;
  const text = filter.slice(start, end);
  const isNegated = /^[-!]/.test(text);
  const place = { text, start, end, isNegated };
  if (quoted !== null) {
    const value = (quoted[2] ?? "").replace(/\\(.)/gs, "$1");
    return { ...place, key: quoted[1] ?? "", value, isQuoted: true, isOpen };
  }
  const positive = isNegated ? text.slice(1) : text;
  const [, key = "", value = positive] = /^([a-z]+):(.*)$/is.exec(positive) ?? [];
  return { ...place, key, value, isQuoted: false, isOpen };
}

/** The words of a filter, as the API reads them. */
export function read(filter: string): Word[] {
  const found: Word[] = [];
  let at = 0;
  while (at < filter.length) {
    if (BLANK.test(filter.charAt(at))) {
      at += 1;
      continue;
    }
    const word = wordFrom(filter, at);
    found.push(word);
    at = word.end;
  }
  return found;
}

/** A value that is read as it is: in quotes if it needs them. */
export const written = (value: string): string =>
  value === "" || /^"|:$/.test(value) || BLANK.test(value)
    ? `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
    : value;

/** A word whose quotes are closed, so that it does not swallow the words behind it. */
const closed = (word: Word): string =>
  word.isOpen ? `${word.text}${/(?<!\\)(?:\\\\)*\\$/.test(word.text) ? "\\" : ""}"` : word.text;

/** The words of a filter; all of them must hold. */
export const words = (filter: string): string[] => read(filter).map(closed);

/** The filter with single spaces, each word once. */
export const normal = (filter: string): string => [...new Set(words(filter))].join(" ");

export const has = (filter: string, word: string): boolean =>
  words(filter).some((other) => other.toLowerCase() === word.toLowerCase());

export const withWord = (filter: string, word: string): string =>
  has(filter, word) ? normal(filter) : normal(`${normal(filter)} ${word}`);

export const withoutWord = (filter: string, word: string): string =>
  words(filter)
    .filter((other) => other.toLowerCase() !== word.toLowerCase())
    .join(" ");

/** Adds the word, or removes it where the filter has it. */
export const toggled = (filter: string, word: string): string =>
  has(filter, word) ? withoutWord(filter, word) : withWord(filter, word);

/** Adds all of the words, or removes them where the filter has them all. */
export function toggledAll(filter: string, together: string[]): string {
  const change = together.every((word) => has(filter, word)) ? withoutWord : withWord;
  return together.reduce(change, filter);
}

/** The network of an address that is typed in part: 10.0.1 → 10.0.1.0/24, 2001:db8: → 2001:db8::/32. */
function networkOf(word: string): string | null {
  const bytes = /^(\d{1,3}(?:\.\d{1,3}){0,2})\.?$/.exec(word)?.[1]?.split(".");
  // A number without a dot may as well be a port or part of a name.
  if (bytes !== undefined && word.includes(".")) {
    const rest = Array.from({ length: 4 - bytes.length }, () => "0");
    return `${[...bytes, ...rest].join(".")}/${8 * bytes.length}`;
  }
  const groups = /^([\da-f]{1,4}(?::[\da-f]{1,4}){0,6}):$/i.exec(word)?.[1]?.split(":");
  return groups === undefined ? null : `${groups.join(":")}::/${16 * groups.length}`;
}

/** The filter with each address that is typed in part as a network. */
export const completeNetworks = (filter: string): string =>
  words(filter)
    .map((word) => {
      const [, sign = "", rest = ""] = /^([-!]?)(.*)$/s.exec(word) ?? [];
      return sign + (networkOf(rest) ?? rest);
    })
    .join(" ");

/** The word at the caret, with its start and end in the text. */
export function wordAt(text: string, caret: number): { word: string; start: number; end: number } {
  const found = read(text).find(({ start, end }) => start <= caret && caret <= end);
  return found === undefined
    ? { word: "", start: caret, end: caret }
    : { word: found.text, start: found.start, end: found.end };
}

/** The text with the word at the caret replaced; a leading "-" or "!" stays. Gives the new text and caret. */
export function completed(text: string, caret: number, suggestion: string): { text: string; caret: number } {
  const { word, start, end } = wordAt(text, caret);
  const sign = /^[-!]/.test(word) && !/^[-!]/.test(suggestion) ? word.slice(0, 1) : "";
  const before = `${text.slice(0, start)}${sign}${suggestion} `;
  return { text: before + text.slice(end).trimStart(), caret: before.length };
}

export const hostWord = (address: string): string => `host:${address}`;
export const destinationWord = (address: string): string => `dst:${address}`;
export const macWord = (mac: string): string => `mac:${mac}`;
export const protocolWord = (protocol: string): string => `protocol:${protocol}`;
export const portWord = (port: number): string => `port:${port}`;
export const directionWord = (direction: string): string => `direction:${direction}`;
export const interfaceWord = (name: string): string => `interface:${written(name)}`;

/** The words of the filter that ask for an interface. The flows since the start have none. */
export const interfaceWords = (filter: string): string[] =>
  read(filter)
    .filter(({ key }) => key.toLowerCase() === "interface")
    .map(closed);
