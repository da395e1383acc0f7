import assert from "node:assert/strict";
import { test } from "node:test";
import type { Alert } from "../src/api.ts";
import { sentenceText } from "../src/alerts/sentence.tsx";
import { outsideText } from "../src/words.ts";

const text = (sentence: string, more: Partial<Alert>): string =>
  sentenceText({
    ...{ source: null, source_name: null, destination: null, destination_name: null },
    ...{ sentence, ...more },
  } as Alert);

test("the name of a source stands before its address, not behind another one", () => {
  const source = { source: "192.168.1.15", source_name: "torrent-box" };
  assert.equal(
    text("192.168.1.15 sent 2.75 MB, most of it to 198.18.0.200", source),
    "torrent-box · 192.168.1.15 sent 2.75 MB, most of it to 198.18.0.200",
  );
  assert.equal(text("192.168.1.15 sent 2 MB", { source: "192.168.1.15" }), "192.168.1.15 sent 2 MB");
});

test("both ends of a pair have their names", () => {
  const pair = { source: "10.0.0.1", source_name: "a.lan", destination: "10.0.0.12", destination_name: "b.lan" };
  assert.equal(text("10.0.0.1 sent 2 MB to 10.0.0.12", pair), "a.lan · 10.0.0.1 sent 2 MB to b.lan · 10.0.0.12");
  assert.equal(text("10.0.0.12 got 2 MB from 10.0.0.1.", pair), "b.lan · 10.0.0.12 got 2 MB from a.lan · 10.0.0.1.");
});

test("part of a longer address is not the address", () => {
  const source = { source: "2001:db8::1", source_name: "a.lan" };
  assert.equal(text("2001:db8::11 and 2001:db8::1: 2 MB", source), "2001:db8::11 and a.lan · 2001:db8::1: 2 MB");
  assert.equal(
    text("10.0.0.0/24 tried 110.0.0.1", { source: "10.0.0.1", source_name: "a.lan" }),
    "10.0.0.0/24 tried 110.0.0.1 (10.0.0.1 is a.lan)",
  );
});

test("alerts outside the filter are counted by their state", () => {
  assert.equal(outsideText(3, 0), "No alert matches the filter; 3 fire outside of it.");
  assert.equal(outsideText(1, 0), "No alert matches the filter; 1 fires outside of it.");
  assert.equal(outsideText(1200, 1), "No alert matches the filter; 1,200 fire and 1 is pending outside of it.");
});
