/**
 * The words of the filter box. It takes and gives the filter's text, and knows neither the API nor the page.
 */

/** The words of a filter; all of them must hold. */
export const words = (filter: string): string[] =>
  filter
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");

/** The filter with single spaces, each word once. */
export const normal = (filter: string): string => [...new Set(words(filter))].join(" ");

export const has = (filter: string, word: string): boolean =>
  words(filter).some((other) => other.toLowerCase() === word.toLowerCase());

export const withWord = (filter: string, word: string): string =>
  has(filter, word) ? normal(filter) : normal(`${filter} ${word}`);

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
      const [, sign = "", rest = ""] = /^([-!]?)(.*)$/.exec(word) ?? [];
      return sign + (networkOf(rest) ?? rest);
    })
    .join(" ");

/** The word at the caret, with its start and end in the text. */
export function wordAt(text: string, caret: number): { word: string; start: number; end: number } {
  let start = caret;
  while (start > 0 && !/\s/.test(text[start - 1] ?? " ")) start -= 1;
  let end = caret;
  while (end < text.length && !/\s/.test(text[end] ?? " ")) end += 1;
  return { word: text.slice(start, end), start, end };
}

/** The text with the word at the caret replaced; a leading "-" or "!" stays. Gives the new text and caret. */
export function completed(text: string, caret: number, suggestion: string): { text: string; caret: number } {
  const { word, start, end } = wordAt(text, caret);
  const sign = /^[-!]/.test(word) && !/^[-!]/.test(suggestion) ? word.slice(0, 1) : "";
  const before = `${text.slice(0, start)}${sign}${suggestion} `;
  return { text: before + text.slice(end).trimStart(), caret: before.length };
}

/** True if the filter can hold the text as one word: a space would end it, and the API has no quotes. */
export const isWord = (text: string): boolean => text !== "" && !/\s/.test(text);

export const hostWord = (address: string): string => `host:${address}`;
export const destinationWord = (address: string): string => `dst:${address}`;
export const macWord = (mac: string): string => `mac:${mac}`;
export const protocolWord = (protocol: string): string => `protocol:${protocol}`;
export const portWord = (port: number): string => `port:${port}`;
export const directionWord = (direction: string): string => `direction:${direction}`;
export const interfaceWord = (name: string): string => `interface:${name}`;

/** The words of the filter that ask for an interface. The flows since the start have none. */
export const interfaceWords = (filter: string): string[] =>
  words(filter).filter((word) => /^[-!]?interface:/i.test(word));
