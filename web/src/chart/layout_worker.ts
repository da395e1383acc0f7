/**
 * Runs the layout in a worker, so that the page stays responsive. It takes hosts and edges as messages and answers with
 * positions, about once a frame until the hosts stand still.
 */

import { Layout, type LayoutInput } from "./layout.ts";

/** A change of the chart; `number` comes back with the positions. */
export interface LayoutRequest {
  number: number;
  input: LayoutInput;
  /** Only the final positions are wanted. */
  isStill: boolean;
}

export interface LayoutAnswer {
  number: number;
  positions: Float32Array;
  isMoving: boolean;
}

/** Milliseconds between two answers. */
const FRAME = 16;
/** Longest work between two answers, in milliseconds. */
const WORK = 10;

interface Scope {
  onmessage: ((event: MessageEvent<LayoutRequest>) => void) | null;
  postMessage(answer: LayoutAnswer, transfer: Transferable[]): void;
}

export function serveLayout(scope: Scope): void {
  const layout = new Layout();
  let number = 0;
  let isStill = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const answer = (): void => {
    const positions = layout.positions();
    scope.postMessage({ number, positions, isMoving: layout.isMoving }, [positions.buffer]);
  };
  const run = (): void => {
    const end = performance.now() + WORK;
    // One step a frame is smooth; more of them would only hurry.
    do layout.step();
    while (isStill && layout.isMoving && performance.now() < end);
    if (!isStill || !layout.isMoving) answer();
    if (layout.isMoving) timer = setTimeout(run, isStill ? 0 : FRAME);
  };
  scope.onmessage = ({ data }) => {
    clearTimeout(timer);
    number = data.number;
    isStill = data.isStill;
    layout.update(data.input);
    if (layout.isMoving) run();
    else answer();
  };
}
