import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph, GraphEdge, History } from "../src/api.ts";
import { drawnOf, isWorthALine, mostUnlisted } from "../src/coverage.ts";

test("the whole of a chart is its edges, what it leaves out, and the traffic without a row", () => {
  const graph = {
    edges: [{ bytes: 300 }, { bytes: 100 }] as GraphEdge[],
    left_out: { edges: 1, bytes: 50, packets: 1 },
  };
  assert.deepEqual(drawnOf(graph as Graph, 150), { bytes: 400, of: 600 });
});

test("a part above one percent is worth a line", () => {
  assert.ok(!isWorthALine(0, 0));
  assert.ok(!isWorthALine(1, 100));
  assert.ok(isWorthALine(2, 100));
});

test("the largest rate without a row is found in either chart", () => {
  const history = (cells: number[] | null) => ({ unlisted_bytes_per_second: cells }) as History;
  assert.equal(mostUnlisted([history([0, 900, 0]), history([5])]), 900);
  assert.equal(mostUnlisted([null, history(null)]), 0);
});
