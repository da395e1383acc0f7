/**
 * A chart for the keyboard: one button for each host, of which one can be reached by the tabulator. The arrow keys move between
 * them. They are not seen: the chart shows which of them has the focus.
 */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useRef, useState } from "preact/hooks";

const STEPS: Record<string, [number, number]> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

export function NodeButtons(properties: {
  label: string;
  keys: string[];
  name(index: number): string;
  /** The figures of a host; read out for the host that has the focus. */
  sentence(index: number): string;
  /** The index of the host in a direction. */
  next(index: number, dx: number, dy: number): number;
  onFocus(index: number | null): void;
  onPress(index: number): void;
}): JSX.Element {
  const { keys } = properties;
  const [chosen, setChosen] = useState<string | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const present = Math.max(0, chosen === null ? 0 : keys.indexOf(chosen));
  // Hosts change their ranks: a button that moved in the document would lose the focus.
  const order = keys
    .map((_, index) => index)
    .sort((left, right) => ((keys[left] ?? "") < (keys[right] ?? "") ? -1 : 1));
  const move = (index: number): void => {
    const button = list.current?.querySelectorAll("button")[order.indexOf(index)];
    if (button === undefined) return;
    setChosen(keys[index] ?? null);
    button.setAttribute("aria-label", properties.sentence(index));
    button.focus({ preventScroll: true });
  };
  const key = (event: TargetedKeyboardEvent<HTMLDivElement>): void => {
    const step = STEPS[event.key];
    if (step !== undefined) move(properties.next(present, ...step));
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(keys.length - 1);
    else return;
    event.preventDefault();
  };
  return (
    <div class="unseen chart-keys" role="group" aria-label={properties.label} ref={list} onKeyDown={key}>
      {order.map((index) => (
        <button
          type="button"
          key={keys[index]}
          tabIndex={index === present ? 0 : -1}
          aria-label={index === present ? properties.sentence(index) : properties.name(index)}
          onFocus={() => {
            setChosen(keys[index] ?? null);
            properties.onFocus(index);
          }}
          onBlur={() => properties.onFocus(null)}
          onClick={() => properties.onPress(index)}
        />
      ))}
    </div>
  );
}
