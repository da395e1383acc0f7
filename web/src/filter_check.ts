/**
 * Asks the exporter about the filter of the view before the panels do: a wrong one then costs one request and one sentence. It
 * takes the view and a client, gives signals, and knows no element of the page.
 */

import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { ApiError, type Client, pathOf } from "./api.ts";
import type { Range, View } from "./state.ts";

/** The status of a request that the exporter does not understand. */
const BAD_REQUEST = 400;

export interface Scope {
  range: Range;
  filter: string;
}

export class FilterCheck {
  /** The range and the filter that panels ask for: those of the view once its filter is known to be right; null before. */
  readonly scope = signal<Scope | null>(null);
  /** The exporter's sentence about the last filter that it was asked about; null if that is right. */
  readonly refusal: ReadonlySignal<string | null>;
  private readonly client: Client;
  private readonly verdict = signal<{ filter: string; refusal: string | null } | null>(null);
  private cancel: AbortController | null = null;

  constructor(client: Client, view: ReadonlySignal<View>) {
    this.client = client;
    const filter = computed(() => view.value.filter);
    const range = computed(() => view.value.range);
    this.refusal = computed(() => this.verdict.value?.refusal ?? null);
    effect(() => this.check(filter.value));
    effect(() => {
      const verdict = this.verdict.value;
      if (verdict?.refusal === null && verdict.filter === filter.value)
        this.scope.value = { range: range.value, filter: verdict.filter };
    });
  }

  private check(filter: string): void {
    this.cancel?.abort();
    const cancel = new AbortController();
    this.cancel = cancel;
    if (filter === this.verdict.peek()?.filter) return;
    if (filter === "") {
      this.verdict.value = { filter, refusal: null };
      return;
    }
    // Alerts take every filter that is right, and are the cheapest to ask for.
    const path = pathOf("alerts", { state: "active", filter, limit: 1 });
    void this.client
      .get(path, cancel.signal)
      // Other failures are not the filter's: the panels report them.
      .then(
        () => null,
        (error: unknown) => (error instanceof ApiError && error.status === BAD_REQUEST ? error.message : null),
      )
      .then((refusal) => {
        if (!cancel.signal.aborted) this.verdict.value = { filter, refusal };
      });
  }
}
