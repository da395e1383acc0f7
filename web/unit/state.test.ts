import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, fragment, parse, type View } from "../src/state.ts";

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
    hosts: "500",
    fold: "none",
    unit: "bytes",
    alerts: "resolved",
    alert: "0f3a-b_9",
  };
  assert.deepEqual(parse(fragment(view)), view);
});

test("wrong values and unknown keys count as absent", () => {
  const wrong = "#range=2y&table=secrets&order=up&chart=pie&hosts=9999&unit=feet&alerts=none&sort=a;drop&alert=<b>&x=1";
  assert.deepEqual(parse(wrong), DEFAULTS);
});

test("a text that is too long is cut", () => {
  assert.equal(parse(`#filter=${"x".repeat(5000)}`).filter.length, 1000);
});
