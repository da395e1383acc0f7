/**
 * A question to the API that is asked again from time to time. It keeps the last good answer with its age, and the sentence of
 * the last error. It knows no element of the page.
 */

import { batch, computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { ApiError, type Client } from "./api.ts";

export interface Question {
  /** The path below the API's folder; null while nothing is asked. It may read signals. */
  path(): string | null;
  /** Milliseconds between two requests. */
  every(): number;
  /** True if the answer changes with the history alone. Its number counts seconds: it says when to ask. */
  followsHistory: boolean;
}

/** After an error the exporter is left alone for so many milliseconds. */
const AFTER_ERROR = 5_000;

export class Query<T> {
  /** The last good answer. */
  readonly answer = signal<T | null>(null);
  readonly error = signal<string | null>(null);
  /** The path of the answer: it is old while another is asked. */
  readonly answered = signal<string | null>(null);
  readonly path: ReadonlySignal<string | null>;
  /** True if the last good answer is not of what the view asks: the request failed, or cannot be made. */
  readonly isOld: ReadonlySignal<boolean>;
  /** Off while the part of the page that shows the answer is out of sight. */
  readonly isActive = signal(true);
  private readonly question: Question;
  private readonly client: Client;
  private asked = 0;
  /** The period of the history that was asked in: pages ask in the same second, so that one answer does for all. */
  private period = -1;
  private cancel: AbortController | null = null;

  constructor(client: Client, question: Question) {
    this.client = client;
    this.question = question;
    this.path = computed(() => (this.isActive.value ? question.path() : null));
    this.isOld = computed(() => this.error.value !== null || (this.isActive.value && this.path.value === null));
    effect(() => {
      const path = this.path.value;
      // What is not asked has no error.
      if (path === null) this.error.value = null;
      else if (path !== this.answered.peek() || this.error.peek() !== null) this.ask(path, -1);
    });
  }

  /** Asks again if it is time. `now` is in milliseconds; `history` is the number of the exporter's history. */
  tick(now: number, history: number): void {
    const path = this.path.peek();
    if (path === null || this.cancel !== null) return;
    const waited = now - this.asked;
    if (this.error.peek() !== null) {
      if (waited >= AFTER_ERROR) this.ask(path, -1, now);
      return;
    }
    const every = this.question.every();
    const period = Math.floor((history * 1000) / every);
    // The history of a file runs faster than the clock.
    const isDue = this.question.followsHistory ? period !== this.period && waited >= every / 2 : waited >= every;
    if (isDue) this.ask(path, period, now);
  }

  /** Asks at once. */
  again(): void {
    const path = this.path.peek();
    if (path !== null) this.ask(path, -1);
  }

  private ask(path: string, period: number, now = Date.now()): void {
    this.cancel?.abort();
    const cancel = new AbortController();
    this.cancel = cancel;
    this.asked = now;
    void this.client
      .get<T>(path, cancel.signal)
      .then((answer) => {
        if (this.cancel !== cancel) return;
        this.period = period;
        batch(() => {
          this.answer.value = answer;
          this.answered.value = path;
          this.error.value = null;
        });
      })
      .catch((error: unknown) => {
        if (this.cancel !== cancel || this.path.peek() === null) return;
        this.error.value = error instanceof ApiError ? error.message : String(error);
      })
      .finally(() => {
        if (this.cancel === cancel) this.cancel = null;
      });
  }
}
