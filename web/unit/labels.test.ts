import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowRow, ServiceRow } from "../src/api.ts";
import { labelOf, sumName } from "../src/tables/labels.ts";

test("a flow is named in words, without what it does not have", () => {
  const flow = {
    ...{ source: "192.168.1.15", destination: "192.0.2.1", protocol: "udp", port: 53, service: "domain" },
    ...{ reply: false, direction: "outgoing", interface: "eth0" },
  } as FlowRow;
  assert.equal(labelOf("flows", flow), "192.168.1.15 to 192.0.2.1, udp/53 domain, outgoing, at eth0");
  const sum = { ...flow, destination: null, port: null, service: "other", reply: true, interface: null };
  assert.equal(labelOf("flows", sum), "192.168.1.15 to other, udp other ports, reply, outgoing");
});

test("a sum of several ports says so where its protocol has ports", () => {
  assert.equal(sumName("udp", "other"), "other ports");
  assert.equal(sumName("icmp", "other"), "other");
  const row = { protocol: "tcp", port: null, service: "other" } as ServiceRow;
  assert.equal(labelOf("services", row), "tcp other ports");
});
