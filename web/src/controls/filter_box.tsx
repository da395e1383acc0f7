/**
 * The filter box: a combobox with completion by the API. It writes the filter of the view.
 */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { pathOf, type Suggestions } from "../api.ts";
import { completed, completeNetworks, normal, wordAt, words } from "../filter.ts";
import { visible } from "../format.ts";
import { client, commonTroubles, hasOldFigures, show, view } from "../store.ts";
import { toggleWord } from "../parts.tsx";

const DELAY = 150;
const MOST = 8;
const LIST = "filter-suggestions";

type Suggestion = Suggestions["suggestions"][number];

/** Suggestions for the word at the caret, a moment after the last key. */
function useSuggestions(word: string | null): [Suggestion[], () => void] {
  const [list, setList] = useState<Suggestion[]>([]);
  useEffect(() => {
    if (word === null || word === "") {
      setList([]);
      return;
    }
    const cancel = new AbortController();
    const timer = setTimeout(() => {
      client.get<Suggestions>(pathOf("search", { q: word.replace(/^[-!]/, ""), limit: MOST }), cancel.signal).then(
        ({ suggestions }) => setList(suggestions.slice(0, MOST)),
        () => setList([]),
      );
    }, DELAY);
    return () => {
      clearTimeout(timer);
      cancel.abort();
    };
  }, [word]);
  return [list, () => setList([])];
}

function Words(): JSX.Element | null {
  const list = words(view.value.filter);
  if (list.length === 0) return null;
  return (
    <ul class="words" aria-label="Filters in use">
      {list.map((word) => (
        <li key={word}>
          <button
            type="button"
            class="chip"
            aria-label={`Remove filter ${visible(word)}`}
            title="Remove from the filter"
            onClick={() => toggleWord(word)}
          >
            <bdi>{visible(word)}</bdi> <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface Box {
  input: { current: HTMLInputElement | null };
  text: string;
  list: Suggestion[];
  /** Index of the suggestion that the arrow keys chose; -1 for none. */
  chosen: number;
  read(): void;
  take(suggestion: Suggestion): void;
  close(): void;
  press(event: TargetedKeyboardEvent<HTMLInputElement>): void;
}

/** The text of the box, its suggestions, and its keys. */
function useBox(): Box {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [word, setWord] = useState<string | null>(null);
  const [chosen, setChosen] = useState(-1);
  const [list, clear] = useSuggestions(word);
  const look = (now: string, caret: number): void => {
    setText(now);
    setWord(wordAt(now, caret).word);
    setChosen(-1);
  };
  const close = (): void => {
    setWord(null);
    setChosen(-1);
    clear();
  };
  const apply = (filter: string): void => {
    show({ filter: normal(`${view.peek().filter} ${completeNetworks(filter)}`) });
    setText("");
    close();
  };
  const take = (suggestion: Suggestion): void => {
    const next = completed(text, input.current?.selectionStart ?? text.length, suggestion.text);
    input.current?.focus();
    // A key waits for its value.
    const begun = next.text.trimEnd();
    if (suggestion.text.endsWith(":")) look(begun, begun.length);
    else apply(next.text);
  };
  const move = (step: number): void => {
    if (list.length > 0)
      setChosen((last) => (last < 0 && step < 0 ? list.length - 1 : (last + step + list.length) % list.length));
  };
  const enter = (): void => {
    const suggestion = list[chosen];
    if (suggestion === undefined) apply(text);
    else take(suggestion);
  };
  const escape = (): void => {
    if (list.length > 0) close();
    else setText("");
  };
  const keys: Record<string, () => void> = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: enter };
  const press = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    const last = words(view.peek().filter).at(-1);
    if (event.key === "Escape") escape();
    else if (event.key === "Backspace" && text === "" && last !== undefined) toggleWord(last);
    else if (keys[event.key] !== undefined) {
      event.preventDefault();
      keys[event.key]?.();
    }
  };
  const read = (): void => {
    const box = input.current;
    if (box !== null) look(box.value, box.selectionStart ?? box.value.length);
  };
  return { input, text, list, chosen, read, take, close, press };
}

function SuggestionList(properties: { box: Box }): JSX.Element {
  const { list, chosen, take } = properties.box;
  return (
    <ul id={LIST} role="listbox" aria-label="Suggestions" class="suggestions" hidden={list.length === 0}>
      {list.map((suggestion, index) => (
        <li
          key={suggestion.text}
          id={`${LIST}-${index}`}
          role="option"
          aria-selected={index === chosen}
          onPointerDown={(event) => {
            // The box keeps the focus.
            event.preventDefault();
            take(suggestion);
          }}
        >
          <bdi>{visible(suggestion.label)}</bdi>
          <bdi class="muted">{visible(suggestion.text)}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Says once why panels have no figures of this view. */
function Troubles(): JSX.Element {
  const sentences = commonTroubles.value.map(visible);
  if (hasOldFigures.value) sentences.push("The dimmed figures below are from before.");
  return <div role="status">{commonTroubles.value.length > 0 && <p class="trouble">{sentences.join(" ")}</p>}</div>;
}

const EXAMPLES = "Filter: 10.0.0.5, 10.0.0.0/8, port:443, protocol:udp, direction:incoming";

export function FilterBox(): JSX.Element {
  const box = useBox();
  const isFiltered = view.value.filter !== "";
  return (
    <search class="filter">
      <div class="filter-row">
        <Words />
        <input
          ref={box.input}
          type="text"
          role="combobox"
          aria-label="Filter"
          aria-autocomplete="list"
          aria-expanded={box.list.length > 0}
          aria-controls={LIST}
          aria-activedescendant={box.chosen >= 0 ? `${LIST}-${box.chosen}` : undefined}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={isFiltered ? "and …" : EXAMPLES}
          value={box.text}
          maxLength={500}
          onInput={box.read}
          onKeyDown={box.press}
          onBlur={box.close}
        />
        {isFiltered && (
          <button type="button" class="clear" onClick={() => show({ filter: "" })}>
            Clear
          </button>
        )}
      </div>
      <SuggestionList box={box} />
      <Troubles />
    </search>
  );
}
