/**
 * The sentence of an alert, with the names of its hosts. A name stands right before the address that has it.
 */

import type { JSX } from "preact";
import type { Alert } from "../api.ts";
import { visible } from "../format.ts";

/** A part of a sentence; names come from the network, and may be of another direction of writing. */
export interface SentencePart {
  text: string;
  isName: boolean;
}

/** The place of an address in a text, where it is not part of a longer one; -1 if it is nowhere. */
function placeOf(text: string, address: string): number {
  const isPart = (character: string | undefined): boolean => character !== undefined && /[\da-f:]/i.test(character);
  for (let at = text.indexOf(address); at >= 0; at = text.indexOf(address, at + 1)) {
    const [before, after] = [text[at - 1], text.slice(at + address.length)];
    if (!isPart(before) && before !== "." && !/^(?:[\da-f]|[.:][\da-f]|\/\d)/i.test(after)) return at;
  }
  return -1;
}

/** The parts of an alert's sentence in their order. */
export function sentenceParts(alert: Alert): SentencePart[] {
  const { sentence } = alert;
  const ends = [
    { address: alert.source, name: alert.source_name },
    { address: alert.destination, name: alert.destination_name },
  ].flatMap(({ address, name }) => (address === null || name === null || name === "" ? [] : [{ address, name }]));
  const placed = ends.map((end) => ({ ...end, at: placeOf(sentence, end.address) }));
  const parts: SentencePart[] = [];
  let from = 0;
  for (const { at, name } of placed.filter((end) => end.at >= 0).sort((left, right) => left.at - right.at)) {
    if (at > from) parts.push({ text: sentence.slice(from, at), isName: false });
    parts.push({ text: name, isName: true }, { text: " · ", isName: false });
    from = at;
  }
  parts.push({ text: sentence.slice(from), isName: false });
  for (const { address, name } of placed.filter((end) => end.at < 0))
    parts.push({ text: ` (${address} is `, isName: false }, { text: name, isName: true }, { text: ")", isName: false });
  return parts;
}

export const sentenceText = (alert: Alert): string =>
  sentenceParts(alert)
    .map(({ text }) => visible(text))
    .join("");

export function Sentence(properties: { alert: Alert }): JSX.Element {
  return (
    <>
      {sentenceParts(properties.alert).map(({ text, isName }, index) => (
        <bdi key={index} class={isName ? "sentence-name" : undefined}>
          {visible(text)}
        </bdi>
      ))}
    </>
  );
}
