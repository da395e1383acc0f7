/**
 * Snapshots from the exporter as they come: by server-sent events, else by polling. It takes a way to open a stream and a way
 * to ask for one snapshot, and reports snapshots and the state of the link. It knows nothing of the page.
 */

import type { Snapshot } from "./api.ts";

export type Link = "connecting" | "stream" | "polling" | "lost";

/** The part of `EventSource` that is used here. */
export interface Source {
  readonly readyState: number;
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener(type: string, listener: (event: { data: string }) => void): void;
  close(): void;
}

export interface StreamEnds {
  open(): Source;
  poll(): Promise<Snapshot>;
  /** A clock in milliseconds that goes on while the machine sleeps. */
  now(): number;
  onSnapshot(snapshot: Snapshot): void;
  /** `sentence` says why the link is lost. */
  onLink(link: Link, sentence: string | null): void;
}

const CLOSED = 2;
/** Milliseconds between polls without a stream. */
export const POLL_EVERY = 5_000;
/** Milliseconds after which a stream is tried again. */
export const RETRY_STREAM = 30_000;
/** A stream that has been silent for so long is checked by a poll, in milliseconds. */
export const SILENT = 20_000;
/** Milliseconds between polls while the page is hidden. */
export const POLL_HIDDEN = 60_000;
/** A gap between two ticks that means that the machine slept, in milliseconds. */
export const SLEPT = 15_000;

export class SnapshotStream {
  private readonly ends: StreamEnds;
  private source: Source | null = null;
  private link: Link = "connecting";
  private heard = 0;
  private polled = 0;
  private opened = 0;
  private ticked = 0;
  private isPolling = false;
  private state: "stopped" | "running" | "resting" = "stopped";

  constructor(ends: StreamEnds) {
    this.ends = ends;
  }

  start(): void {
    if (this.state === "running") return;
    this.state = "running";
    this.ticked = this.ends.now();
    this.heard = this.ticked;
    this.connect();
  }

  /** A hidden page needs no stream, and browsers allow six connections to an exporter in all. It polls for its title. */
  rest(): void {
    this.state = "resting";
    this.polled = this.ends.now();
    this.disconnect();
  }

  /** To be called about once a second. */
  tick(): void {
    if (this.state === "stopped") return;
    const now = this.ends.now();
    if (this.state === "resting") {
      if (now - this.polled >= POLL_HIDDEN) void this.poll();
      return;
    }
    const slept = now - this.ticked > SLEPT;
    this.ticked = now;
    if (slept) {
      this.connect();
      void this.poll();
    } else if (this.link === "stream") {
      if (now - Math.max(this.heard, this.polled) > SILENT) void this.poll();
    } else {
      if (now - this.polled >= POLL_EVERY) void this.poll();
      if (this.source === null && now - this.opened >= RETRY_STREAM) this.connect();
    }
  }

  private connect(): void {
    this.disconnect();
    this.opened = this.ends.now();
    const source = this.ends.open();
    this.source = source;
    source.onopen = () => this.report("stream", null);
    source.onerror = () => {
      if (this.source !== source) return;
      // Status 503 closes the stream for good; a lost connection is opened again by the browser.
      if (source.readyState === CLOSED) this.disconnect();
      if (this.link === "stream") this.report("polling", null);
      void this.poll();
    };
    source.addEventListener("snapshot", (event) => {
      if (this.source !== source) return;
      try {
        this.accept(JSON.parse(event.data) as Snapshot);
      } catch {
        void this.poll();
        return;
      }
      this.report("stream", null);
    });
  }

  private disconnect(): void {
    this.source?.close();
    this.source = null;
  }

  private async poll(): Promise<void> {
    if (this.isPolling) return;
    this.isPolling = true;
    this.polled = this.ends.now();
    try {
      const snapshot = await this.ends.poll();
      if (this.link !== "stream") this.report("polling", null);
      this.accept(snapshot);
    } catch (error) {
      // A stream over a dead connection reports no error.
      this.report("lost", error instanceof Error ? error.message : String(error));
      if (this.source?.readyState === 1) this.disconnect();
    } finally {
      this.isPolling = false;
    }
  }

  private accept(snapshot: Snapshot): void {
    this.heard = this.ends.now();
    this.ends.onSnapshot(snapshot);
  }

  private report(link: Link, sentence: string | null): void {
    this.link = link;
    this.ends.onLink(link, sentence);
  }
}
