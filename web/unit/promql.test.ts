import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceRow, FlowRow, HostRow, PairRow, ServiceRow } from "../src/api.ts";
import { graphAddress, ofRow, ofTable } from "../src/tables/promql.ts";
import { quoted, selectorsOf } from "../src/tables/selectors.ts";

const flow = { source: "10.0.0.5", destination: "2001:db8::1", protocol: "tcp", port: 443, reply: false } as FlowRow;

test("a row's expression selects its series", () => {
  assert.equal(
    ofRow("flows", flow, "live", "bytes", ""),
    'sum(rate(trafficmonitor_flow_bytes_total{source="10.0.0.5",destination="2001:db8::1",protocol="tcp",port="443",reply="false"}[5m]))',
  );
  assert.equal(
    ofRow("flows", { ...flow, destination: null, port: null }, "live", "bytes", ""),
    'sum(rate(trafficmonitor_flow_bytes_total{source="10.0.0.5",protocol="tcp",reply="false"}[5m]))',
  );
  assert.equal(
    ofRow("hosts", { address: "10.0.0.5", is_local: true } as HostRow, "1h", "bits", ""),
    '8 * sum by (direction) (rate(trafficmonitor_host_bytes_total{host="10.0.0.5"}[1h]) or rate(trafficmonitor_flow_bytes_total{destination="10.0.0.5",source!="10.0.0.5",direction="local"}[1h]))',
  );
});

test("the dots of an address match dots alone", () => {
  assert.match(
    ofRow("pairs", { a: "10.0.0.5", b: "10.0.0.6" } as PairRow, "live", "bytes", ""),
    /source=~"10\\\\\.0\\\\\.0\\\\\.5\|10\\\\\.0\\\\\.0\\\\\.6"/,
  );
});

const remote = { address: "192.0.2.1", is_local: false } as HostRow;

test("a remote host is at either end of its flows", () => {
  const at = (end: string): string => `rate(trafficmonitor_flow_bytes_total{${end}="192.0.2.1"}[5m])`;
  assert.equal(
    ofRow("hosts", remote, "live", "bits", ""),
    `8 * sum by (direction) (${at("source")} or ${at("destination")})`,
  );
});

test("a row's expression has the matchers of the filter", () => {
  const at = (labels: string): string => `rate(trafficmonitor_flow_bytes_total{${labels}}[5m])`;
  const local = { address: "10.0.0.5", is_local: true } as HostRow;
  // The counters of hosts have no ports.
  assert.equal(
    ofRow("hosts", local, "live", "bytes", "port:443 10.0.0.0/8"),
    `sum by (direction) (${at('source="10.0.0.5",port="443"')} or ${at('destination="10.0.0.5",port="443"')})`,
  );
  assert.equal(
    ofRow("services", { protocol: "tcp", port: 443 } as ServiceRow, "live", "bytes", "protocol:tcp host:10.0.0.5"),
    `sum(${at('protocol="tcp",port="443",source="10.0.0.5"')} or ${at('protocol="tcp",port="443",destination="10.0.0.5"')})`,
  );
  assert.equal(
    ofRow("hosts", local, "live", "bytes", "host:10.0.0.5"),
    `sum by (direction) (${at('source="10.0.0.5"')} or ${at('destination="10.0.0.5"')})`,
  );
  assert.equal(
    ofRow("devices", { addresses: ["10.0.0.5"] } as DeviceRow, "live", "bytes", "direction:local"),
    `sum by (direction) (${at('source=~"10\\\\.0\\\\.0\\\\.5",direction="local"')} or ${at('destination=~"10\\\\.0\\\\.0\\\\.5",direction="local"')})`,
  );
});

test("text cannot leave its label", () => {
  assert.equal(quoted('a"} or vector(1) #\\\n'), '"a\\"} or vector(1) #\\\\\\n"');
});

test("a table's expression gives its largest rows", () => {
  assert.deepEqual(ofTable("services", "5m", "bits", ""), {
    text: "8 * topk(10, sum by (protocol, port) (rate(trafficmonitor_flow_bytes_total[5m])))",
    without: [],
  });
});

test("a table's expression has the matchers of the filter", () => {
  assert.equal(
    ofTable("flows", "live", "bytes", "protocol:TCP port:443 -direction:local").text,
    'topk(10, sum by (source, destination, protocol, port) (rate(trafficmonitor_flow_bytes_total{protocol="tcp",port="443",direction!="local"}[5m])))',
  );
});

test("a host of the filter is at either end", () => {
  assert.equal(
    ofTable("protocols", "live", "bytes", "host:10.0.0.5 port:53").text,
    'sum by (protocol) (rate(trafficmonitor_flow_bytes_total{source="10.0.0.5",port="53"}[5m]) or rate(trafficmonitor_flow_bytes_total{destination="10.0.0.5",port="53"}[5m]))',
  );
  assert.deepEqual(selectorsOf("-10.0.0.5/32 src:2001:DB8:0::1"), {
    alternatives: [['source!="10.0.0.5"', 'destination!="10.0.0.5"', 'source="2001:db8::1"']],
    without: [],
  });
});

test("hosts under a filter are the ends of the flows that pass", () => {
  const end = (name: string): string =>
    `label_replace(rate(trafficmonitor_flow_bytes_total{port="443"}[5m]), "host", "$1", "${name}", "(.*)")`;
  assert.equal(
    ofTable("hosts", "live", "bytes", "port:443").text,
    `topk(10, sum by (host) (${end("source")} or ${end("destination")}))`,
  );
  assert.match(ofTable("devices", "live", "bytes", "port:443").text, /port="443",direction=~"outgoing\|local"/);
});

test("without a filter, hosts have their counters, and the flows of the ends that these do not count", () => {
  const at = (end: string, labels: string): string =>
    `label_replace(rate(trafficmonitor_flow_bytes_total{${labels}}[5m]), "host", "$1", "${end}", "(.*)")`;
  assert.equal(
    ofTable("hosts", "live", "bytes", "").text,
    `topk(10, sum by (host) (rate(trafficmonitor_host_bytes_total[5m]) or ${at("source", 'direction="incoming"')} or ${at("destination", 'direction!="incoming"')}))`,
  );
  assert.equal(
    ofTable("devices", "live", "bytes", "").text,
    `topk(10, sum by (host) (rate(trafficmonitor_host_bytes_total{direction!="transit"}[5m]) or ${at("destination", 'direction="local"')}))`,
  );
});

test("words without a label are named", () => {
  const filter = "10.0.0.0/8 2001:db8::/32 nas interface:eth0 mac:02:00:00:00:00:05 protocol:47 service:https port:443";
  assert.deepEqual(selectorsOf(filter), {
    alternatives: [['port="443"']],
    without: ["CIDR", "name", "interface", "mac", "protocol number", "service"],
  });
});

test("the link to Prometheus is a web address or none", () => {
  assert.equal(
    graphAddress("http://127.0.0.1:9090/", "up"),
    "http://127.0.0.1:9090/graph?g0.expr=up&g0.tab=0&g0.range_input=1h",
  );
  assert.equal(graphAddress("javascript:alert(1)", "up"), null);
  assert.equal(graphAddress(null, "up"), null);
});
