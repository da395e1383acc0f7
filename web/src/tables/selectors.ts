/**
 * The words of a filter as label matchers of PromQL. It takes the filter's text, gives matchers and the kinds of words that
 * PromQL cannot have, and knows no element of the page.
 */

import { read as readWords, words } from "../filter.ts";

/** Text inside a label value. */
export const quoted = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;

export interface Selectors {
  /** A flow passes if it matches all matchers of one of these lists. */
  alternatives: string[][];
  /** Kinds of words that are left out, such as "CIDR". */
  without: string[];
}

/** Each word for a host doubles the alternatives: past so many of these words, others are left out. */
const MOST_HOSTS = 3;

/** An address as the exporter writes it in labels; null for what is not one address. */
function addressOf(text: string): string | null {
  const [, address = "", prefix] = /^([^/]*)(?:\/(\d+))?$/.exec(text) ?? [];
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return prefix === undefined || prefix === "32" ? address : null;
  // A mapped address is written in another way by browsers.
  if (!/^[\da-f:]*:[\da-f:]*$/i.test(address) || (prefix !== undefined && prefix !== "128")) return null;
  try {
    return new URL(`http://[${address}]/`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}

const NO_WORD = { isNegated: false, key: "", value: "", isQuoted: false, text: "" };

interface Word {
  isNegated: boolean;
  key: string;
  value: string;
}

const KEYS = ["host", "src", "dst", "port", "service", "protocol", "direction", "interface", "mac"];
const isNetwork = (text: string): boolean => /^[\d.]+\/\d+$/.test(text) || /^[\da-f:.]+\/\d+$/i.test(text);

/** A word as the API reads it; a bare address or network is that of a host, any other bare word part of a name. */
function read(word: string): Word {
  const [{ isNegated, key, value, isQuoted, text: whole } = NO_WORD] = readWords(word);
  const text = isNegated ? whole.slice(1) : whole;
  // In quotes and without a key it is part of a name, whatever it looks like.
  if (isQuoted && key === "") return { isNegated, key: "name", value };
  if (addressOf(text) !== null || isNetwork(text)) return { isNegated, key: "host", value: text };
  if (value !== "" && KEYS.includes(key.toLowerCase())) return { isNegated, key: key.toLowerCase(), value };
  return { isNegated, key: "name", value: text };
}

/** True if the word asks for part of a name. */
export const isName = (word: string): boolean => read(word).key === "name";

const LABELS: Record<string, string> = { src: "source", dst: "destination", port: "port" };

/** The matchers of a word: alternatives of lists; or the kind of the word, where there are none. */
function matchersOf({ isNegated, key, value }: Word): string[][] | { without: string } {
  const matcher = (label: string, text: string): string => `${label}${isNegated ? "!=" : "="}${quoted(text)}`;
  if (key === "host" || key === "src" || key === "dst") {
    const address = addressOf(value);
    if (address === null) return { without: "CIDR" };
    if (key !== "host") return [[matcher(LABELS[key] ?? key, address)]];
    const ends = [matcher("source", address), matcher("destination", address)];
    return isNegated ? [ends] : ends.map((end) => [end]);
  }
  if (key === "port" && /^\d+$/.test(value)) return [[matcher("port", String(Number(value)))]];
  if (key === "direction") return [[matcher("direction", value.toLowerCase())]];
  // Labels have the protocol by its keyword.
  if (key === "protocol")
    return /^\d+$/.test(value) ? { without: "protocol number" } : [[matcher(key, value.toLowerCase())]];
  return { without: key };
}

/** The lists that hold where one of `some` and one of `others` holds. What another list implies is left out. */
export function product(some: string[][], others: string[][]): string[][] {
  const all = some.flatMap((one) => others.map((other) => [...new Set([...one, ...other])]));
  return all.filter((list, at) => {
    const implies = (other: string[]): boolean => other.every((matcher) => list.includes(matcher));
    return !all.some((other, place) => implies(other) && (other.length < list.length || place < at));
  });
}

/** The matchers of a filter. All of its words must hold. */
export function selectorsOf(filter: string): Selectors {
  let alternatives: string[][] = [[]];
  const without = new Set<string>();
  let hosts = 0;
  for (const word of words(filter)) {
    const matchers = matchersOf(read(word));
    if (!Array.isArray(matchers)) without.add(matchers.without);
    else if (matchers.length > 1 && (hosts += 1) > MOST_HOSTS) without.add(`more than ${MOST_HOSTS} hosts`);
    else alternatives = product(alternatives, matchers);
  }
  return { alternatives, without: [...without] };
}
