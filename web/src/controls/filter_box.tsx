/**
 * The filter box: a combobox with completion by the API. It writes the filter of the view.
 */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { pathOf, type Suggestions } from "../api.ts";
import { completed, normal, wordAt, words } from "../filter.ts";
import { visible } from "../format.ts";
import { client, show, view } from "../store.ts";
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
          <button type="button" class="chip" aria-label={`Remove filter ${visible(word)}`} title="Remove from the filter" onClick={() => toggleWord(word)}>
            <bdi>{visible(word)}</bdi> <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function FilterBox(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [word, setWord] = useState<string | null>(null);
  const [chosen, setChosen] = useState(-1);
  const [list, clear] = useSuggestions(word);
  const isOpen = list.length > 0;

  const look = (): void => {
    const box = input.current;
    if (box === null) return;
    setText(box.value);
    setWord(wordAt(box.value, box.selectionStart ?? box.value.length).word);
    setChosen(-1);
  };
  const close = (): void => {
    setWord(null);
    setChosen(-1);
    clear();
  };
  const apply = (filter: string): void => {
    show({ filter: normal(`${view.peek().filter} ${filter}`) });
    setText("");
    close();
  };
  const take = (suggestion: Suggestion): void => {
    const box = input.current;
    const next = completed(text, box?.selectionStart ?? text.length, suggestion.text);
    box?.focus();
    // A key waits for its value.
    if (!suggestion.text.endsWith(":")) return apply(next.text);
    const begun = next.text.trimEnd();
    setText(begun);
    setWord(wordAt(begun, begun.length).word);
    setChosen(-1);
  };
  const move = (step: number): void => {
    if (isOpen) setChosen((last) => (last + step + list.length + (last < 0 && step < 0 ? 1 : 0)) % list.length);
  };
  const key = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    const last = words(view.peek().filter).at(-1);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const suggestion = list[chosen];
      if (suggestion !== undefined) take(suggestion);
      else apply(text);
    } else if (event.key === "Escape") {
      if (isOpen) close();
      else setText("");
    } else if (event.key === "Backspace" && text === "" && last !== undefined) {
      toggleWord(last);
    }
  };
  return (
    <search class="filter">
      <div class="filter-row">
        <Words />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label="Filter"
          aria-autocomplete="list"
          aria-expanded={isOpen}
          aria-controls={LIST}
          aria-activedescendant={chosen >= 0 ? `${LIST}-${chosen}` : undefined}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={view.value.filter === "" ? "Filter: 10.0.0.5, 10.0.0.0/8, port:443, protocol:udp, direction:incoming" : "and …"}
          value={text}
          maxLength={500}
          onInput={look}
          onKeyDown={key}
          onBlur={close}
        />
        {view.value.filter !== "" && (
          <button type="button" class="clear" onClick={() => show({ filter: "" })}>
            Clear
          </button>
        )}
      </div>
      <ul id={LIST} role="listbox" aria-label="Suggestions" class="suggestions" hidden={!isOpen}>
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
    </search>
  );
}
