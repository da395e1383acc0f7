/**
 * Small parts that several panels share: names, buttons, choices, notes. They take values and give elements.
 */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { shortened, visible } from "./format.ts";
import { has, hostWord, toggled } from "./filter.ts";
import { commonTroubles, show, view } from "./store.ts";
import type { Query } from "./query.ts";

/** Adds a word to the filter, or takes it out. */
export const toggleWord = (word: string): void => show({ filter: toggled(view.peek().filter, word) });

/** A word that filters the page when it is pressed. */
export function FilterLink(properties: {
  word: string;
  children: ComponentChildren;
  title?: string;
  label?: string;
}): JSX.Element {
  const isOn = has(view.value.filter, properties.word);
  return (
    <button
      type="button"
      class="link"
      aria-pressed={isOn}
      aria-label={properties.label}
      title={properties.title ?? (isOn ? `Remove ${properties.word} from the filter` : `Filter by ${properties.word}`)}
      onClick={() => toggleWord(properties.word)}
    >
      <bdi>{properties.children}</bdi>
    </button>
  );
}

/** Longest name in a cell, in characters. */
const NAME_CHARACTERS = 40;

/** A host by its address, with its name beside it; a press filters by the address. */
export function Host(properties: { address: string; name: string | null }): JSX.Element {
  const { address, name } = properties;
  return (
    <span class="host">
      <FilterLink word={hostWord(address)} title={`${visible(address)}${name === null ? "" : ` – ${visible(name)}`}`}>
        {visible(address)}
      </FilterLink>
      {name !== null && name !== "" && (
        <bdi class="name" title={visible(name)}>
          {shortened(name, NAME_CHARACTERS)}
        </bdi>
      )}
    </span>
  );
}

/** One of several values, as a row of buttons. */
export function Choice<T extends string>(properties: {
  label: string;
  value: T;
  options: readonly (readonly [T, string, string?])[];
  onChange(value: T): void;
}): JSX.Element {
  return (
    <div class="choice" role="group" aria-label={properties.label}>
      {properties.options.map(([value, text, title]) => (
        <button
          type="button"
          key={value}
          title={title}
          aria-pressed={value === properties.value}
          onClick={() => properties.onChange(value)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** The clipboard exists only on secure origins; elsewhere a selection is copied. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

/** Milliseconds for which a button says that it has copied. */
const SAYS_COPIED = 1_500;

export function CopyButton(properties: {
  text: string;
  children: ComponentChildren;
  label?: string;
  class?: string;
}): JSX.Element {
  const [state, setState] = useState<"" | "Copied" | "Not copied">("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const press = async (): Promise<void> => {
    setState((await copy(properties.text)) ? "Copied" : "Not copied");
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setState(""), SAYS_COPIED);
  };
  return (
    <button
      type="button"
      class={`copy ${properties.class ?? ""}`}
      title={properties.text}
      aria-label={properties.label}
      onClick={() => void press()}
    >
      <span class={state === "" ? "" : "hides"}>{properties.children}</span>
      {state !== "" && <span class="over">{state}</span>}
    </button>
  );
}

/** The class of a panel whose figures are of another question than that of the view: it dims. */
export const oldClass = (query: Query<unknown>): string => (query.isOld.value ? "is-old" : "");

/** Says in words that the last request failed; the figures of the one before stay. Common troubles are said at the filter. */
export function Trouble(properties: { query: Query<unknown> }): JSX.Element | null {
  const error = properties.query.error.value;
  if (error === null || commonTroubles.value.includes(error)) return null;
  return (
    <p class="trouble" role="status">
      {visible(error)}
      {properties.query.answer.value !== null && " The figures below are from before."}
    </p>
  );
}

/** True while the element is near what is seen. */
export function useNear<T extends Element>(onChange: (isNear: boolean) => void): { current: T | null } {
  const element = useRef<T>(null);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new IntersectionObserver((entries) => onChange(entries.some((entry) => entry.isIntersecting)), {
      rootMargin: "300px",
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return element;
}

/** The size of an element in CSS pixels, as it changes. */
export function useSize<T extends Element>(): [{ current: T | null }, { width: number; height: number }] {
  const element = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      setSize((last) =>
        Math.abs(last.width - width) < 1 && Math.abs(last.height - height) < 1 ? last : { width, height },
      );
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, size];
}
