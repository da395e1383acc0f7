import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Snapshot } from "../src/api.ts";
import { POLL_EVERY, POLL_HIDDEN, RETRY_STREAM, SILENT, SLEPT, SnapshotStream, type Source } from "../src/stream.ts";

class FakeSource implements Source {
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  private listener: (event: { data: string }) => void = () => {};
  addEventListener(_type: string, listener: (event: { data: string }) => void): void {
    this.listener = listener;
  }
  close(): void {
    this.readyState = 2;
  }
  opens(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  sends(data: string): void {
    this.listener({ data });
  }
  fails(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.();
  }
}

let now = 0;
let sources: FakeSource[] = [];
let links: string[] = [];
let numbers: number[] = [];
let polls = 0;
let poll: () => Promise<Snapshot> = () => Promise.reject(new Error("unset"));
let stream = new SnapshotStream({
  open: () => new FakeSource(),
  poll,
  now: () => 0,
  onSnapshot: () => {},
  onLink: () => {},
});

const snapshot = (number: number): Snapshot => ({ number }) as Snapshot;
const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
const last = (): FakeSource => sources.at(-1) ?? assert.fail("no stream was opened");

beforeEach(() => {
  now = 1_000_000;
  [sources, links, numbers, polls] = [[], [], [], 0];
  poll = () => Promise.resolve(snapshot(100 + polls));
  stream = new SnapshotStream({
    open: () => {
      sources.push(new FakeSource());
      return last();
    },
    poll: () => {
      polls += 1;
      return poll();
    },
    now: () => now,
    onSnapshot: ({ number }) => numbers.push(number),
    onLink: (link, sentence) => links.push(sentence === null ? link : `${link}: ${sentence}`),
  });
  stream.start();
});

/** Lets time go on by seconds, as the page does. */
async function passes(milliseconds: number): Promise<void> {
  for (const end = now + milliseconds; now < end;) {
    now = Math.min(end, now + 1000);
    stream.tick();
    await settled();
  }
}

test("snapshots of the stream arrive without a poll", async () => {
  last().opens();
  last().sends('{"number":1}');
  await passes(3000);
  last().sends('{"number":2}');
  assert.deepEqual(numbers, [1, 2]);
  assert.equal(polls, 0);
  assert.equal(links.at(-1), "stream");
});

test("a refused stream is replaced by polling and tried again later", async () => {
  last().fails(2);
  await settled();
  assert.equal(links.at(-1), "polling");
  await passes(2 * POLL_EVERY);
  assert.equal(polls, 3);
  assert.equal(sources.length, 1);
  await passes(RETRY_STREAM);
  assert.equal(sources.length, 2);
  last().opens();
  assert.equal(links.at(-1), "stream");
});

test("an exporter that is gone is reported in words until it is back", async () => {
  last().opens();
  poll = () => Promise.reject(new Error("The exporter cannot be reached."));
  last().fails(0);
  await settled();
  assert.equal(links.at(-1), "lost: The exporter cannot be reached.");
  poll = () => Promise.resolve(snapshot(7));
  await passes(POLL_EVERY);
  assert.equal(links.at(-1), "polling");
  assert.deepEqual(numbers, [7]);
});

test("a silent stream over a dead connection is noticed", async () => {
  last().opens();
  poll = () => Promise.reject(new Error("The exporter did not answer."));
  await passes(SILENT + 1000);
  assert.equal(links.at(-1), "lost: The exporter did not answer.");
  assert.equal(last().readyState, 2);
});

test("a silent stream over a living connection stays", async () => {
  last().opens();
  await passes(SILENT + 1000);
  assert.equal(polls, 1);
  assert.equal(links.at(-1), "stream");
  assert.equal(sources.length, 1);
});

test("after sleep the stream is opened again at once", async () => {
  last().opens();
  now += SLEPT + 3_600_000;
  stream.tick();
  await settled();
  assert.equal(sources.length, 2);
  assert.equal(sources[0]?.readyState, 2);
  assert.equal(polls, 1);
});

test("events of a stream that was left are dropped", () => {
  const left = last();
  left.opens();
  now += SLEPT + 1000;
  stream.tick();
  left.sends('{"number":1}');
  left.fails(2);
  assert.deepEqual(numbers, []);
});

test("a hidden page holds no stream, polls once a minute, and opens its stream again", async () => {
  last().opens();
  stream.rest();
  assert.equal(last().readyState, 2);
  await passes(POLL_HIDDEN - 1000);
  assert.equal(polls, 0);
  await passes(1000);
  assert.deepEqual([polls, numbers], [1, [101]]);
  // Browsers slow the clock of hidden pages down.
  now += POLL_HIDDEN;
  stream.tick();
  await settled();
  assert.deepEqual([polls, sources.length], [2, 1]);
  poll = () => Promise.reject(new Error("The exporter cannot be reached."));
  await passes(POLL_HIDDEN);
  assert.equal(links.at(-1), "lost: The exporter cannot be reached.");
  stream.start();
  last().opens();
  assert.deepEqual([links.at(-1), sources.length], ["stream", 2]);
});

test("an event that is not JSON is replaced by a poll", async () => {
  last().opens();
  last().sends("{");
  await settled();
  assert.equal(polls, 1);
  assert.deepEqual(numbers, [101]);
});
