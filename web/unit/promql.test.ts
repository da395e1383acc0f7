import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowRow, HostRow, PairRow } from "../src/api.ts";
import { graphAddress, ofRow, ofTable, quoted } from "../src/tables/promql.ts";

const flow = { source: "10.0.0.5", destination: "2001:db8::1", protocol: "tcp", port: 443, reply: false } as FlowRow;

test("a row's expression selects its series", () => {
  assert.equal(
    ofRow("flows", flow, "live", "bytes"),
    'sum(rate(trafficmonitor_flow_bytes_total{source="10.0.0.5",destination="2001:db8::1",protocol="tcp",port="443",reply="false"}[5m]))',
  );
  assert.equal(
    ofRow("hosts", { address: "10.0.0.5", is_local: true } as HostRow, "1h", "bits"),
    '8 * sum by (direction) (rate(trafficmonitor_host_bytes_total{host="10.0.0.5"}[1h]))',
  );
});

test("the dots of an address match dots alone", () => {
  assert.match(
    ofRow("pairs", { a: "10.0.0.5", b: "10.0.0.6" } as PairRow, "live", "bytes"),
    /source=~"10\\\\\.0\\\\\.0\\\\\.5\|10\\\\\.0\\\\\.0\\\\\.6"/,
  );
});

test("a sum over two directions is scaled as a whole", () => {
  const expression = ofRow("hosts", { address: "192.0.2.1", is_local: false } as HostRow, "live", "bits");
  assert.match(expression, /^8 \* \(\(sum.* or vector\(0\)\) \+ \(sum.* or vector\(0\)\)\)$/);
});

test("text cannot leave its label", () => {
  assert.equal(quoted('a"} or vector(1) #\\\n'), '"a\\"} or vector(1) #\\\\\\n"');
});

test("a table's expression gives its largest rows", () => {
  assert.equal(
    ofTable("services", "5m", "bits"),
    "8 * topk(10, sum by (protocol, port) (rate(trafficmonitor_flow_bytes_total[5m])))",
  );
});

test("the link to Prometheus is a web address or none", () => {
  assert.equal(
    graphAddress("http://127.0.0.1:9090/", "up"),
    "http://127.0.0.1:9090/graph?g0.expr=up&g0.tab=0&g0.range_input=1h",
  );
  assert.equal(graphAddress("javascript:alert(1)", "up"), null);
  assert.equal(graphAddress(null, "up"), null);
});
