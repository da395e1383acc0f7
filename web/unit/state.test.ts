import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, fragment, parse, shortestRange, type View } from "../src/state.ts";

test("the default view has an empty fragment", () => {
  assert.equal(fragment(DEFAULTS), "");
  assert.deepEqual(parse(""), DEFAULTS);
  assert.deepEqual(parse("#"), DEFAULTS);
});

test("each view survives its fragment", () => {
  const view: View = {
    range: "5m",
    filter: "host:2001:db8::1 -port:443 ä&=#",
    table: "pairs",
    sort: "last_seen",
    order: "asc",
    search: "a b&c",
    chart: "sankey",
    network: "table",
    traffic: "table",
    hosts: "500",
    fold: "none",
    unit: "bytes",
    alerts: "resolved",
    alert: "0f3a-b_9",
  };
  assert.deepEqual(parse(fragment(view)), view);
});

test("wrong values and unknown keys count as absent", () => {
  const wrong =
    "#range=2y&table=secrets&order=up&chart=pie&network=list&traffic=1&hosts=9999&unit=feet&alerts=none&sort=a;drop&alert=<b>&x=1";
  assert.deepEqual(parse(wrong), DEFAULTS);
});

test("a text that is too long is cut", () => {
  assert.equal(parse(`#filter=${"x".repeat(5000)}`).filter.length, 1000);
});

test("the shortest range that covers a time is All for the longest ones", () => {
  const ranges = [0, 60, 61, 300, 301, 3600, 3601].map(shortestRange);
  assert.deepEqual(ranges, ["live", "live", "5m", "5m", "1h", "1h", "all"]);
});
