import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import { ApiError, type Client } from "../src/api.ts";
import { FilterCheck } from "../src/filter_check.ts";
import { DEFAULTS, type View } from "../src/state.ts";

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

function made(first: Partial<View>) {
  const asked: (string | null)[] = [];
  const view = signal<View>({ ...DEFAULTS, ...first });
  const client = {
    get(path: string): Promise<unknown> {
      const filter = new URLSearchParams(path.split("?")[1]).get("filter");
      asked.push(filter);
      if (filter === "bad:") return Promise.reject(new ApiError(400, "filter: bad"));
      return filter === "gone" ? Promise.reject(new ApiError(0, "no answer")) : Promise.resolve({});
    },
  };
  const check = new FilterCheck(client as unknown as Client, view);
  return { asked, check, show: (change: Partial<View>) => (view.value = { ...view.peek(), ...change }) };
}

test("no filter is right at once, and a filter once the exporter took it", async () => {
  const { asked, check, show } = made({});
  assert.deepEqual(check.scope.value, { range: "live", filter: "" });
  show({ filter: "a", range: "1h" });
  assert.deepEqual(check.scope.value, { range: "live", filter: "" });
  await settled();
  assert.deepEqual(check.scope.value, { range: "1h", filter: "a" });
  show({ range: "5m", table: "flows" });
  assert.deepEqual(check.scope.value, { range: "5m", filter: "a" });
  assert.deepEqual(asked, ["a"]);
});

test("a refused filter is asked about once, and the last right one stays the scope", async () => {
  const { asked, check, show } = made({ filter: "a" });
  assert.equal(check.scope.value, null);
  await settled();
  show({ filter: "bad:" });
  await settled();
  show({ range: "1h" });
  await settled();
  assert.equal(check.refusal.value, "filter: bad");
  assert.deepEqual(check.scope.value, { range: "live", filter: "a" });
  assert.deepEqual(asked, ["a", "bad:"]);
  show({ filter: "" });
  assert.equal(check.refusal.value, null);
  assert.deepEqual(check.scope.value, { range: "1h", filter: "" });
});

test("a filter that was changed meanwhile is not judged, and a failed request refuses nothing", async () => {
  const { check, show } = made({ filter: "bad:" });
  show({ filter: "gone" });
  await settled();
  assert.equal(check.refusal.value, null);
  assert.deepEqual(check.scope.value, { range: "live", filter: "gone" });
});
