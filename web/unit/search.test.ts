import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowRow, HostRow } from "../src/api.ts";
import { found, searchOf } from "../src/tables/search.ts";

const NONE = { dns: null, dhcp: null, vendor: null, mac: null, country: null, asn: null, organisation: null };
const host = (address: string, name: string | null, more = {}): HostRow =>
  ({ address, name, names: { ...NONE, ...more } }) as HostRow;
const HOSTS = [
  host("10.0.0.5", "phone.lan"),
  host("192.0.2.1", "cdn.example", { organisation: "Example Net", asn: 64496 }),
  host("192.0.2.15", null),
];
const search = (text: string): string[] => found("hosts", HOSTS, searchOf(text).texts).map(({ address }) => address);

test("a search keeps the rows whose own cells contain the text", () => {
  assert.deepEqual(search("PHONE"), ["10.0.0.5"]);
  assert.deepEqual(search("192.0.2.1"), ["192.0.2.1", "192.0.2.15"]);
  assert.deepEqual(search("as64496"), ["192.0.2.1"]);
  assert.deepEqual(search("printer"), []);
});

test("all words of a search must hold, and a sign excludes", () => {
  assert.deepEqual(search("192.0.2 example"), ["192.0.2.1"]);
  assert.deepEqual(search("-phone -cdn"), ["192.0.2.15"]);
});

test("a text in quotes may have spaces", () => {
  const rows = [host("10.0.0.5", "living room"), host("10.0.0.6", "room living")];
  const of = (text: string): string[] => found("hosts", rows, searchOf(text).texts).map(({ address }) => address);
  assert.deepEqual(of('"living room"'), ["10.0.0.5"]);
  assert.deepEqual(of('-"living room"'), ["10.0.0.6"]);
  assert.deepEqual(of('"10.0.0.6"'), ["10.0.0.6"]);
});

test("words with a key and networks are left to the filter", () => {
  assert.deepEqual(searchOf("phone port:443 10.0.0.0/8 10.0.1 2001:db8:"), {
    filter: "port:443 10.0.0.0/8",
    texts: ["phone", "10.0.1", "2001:db8:"],
  });
});

test("a flow is found by its service, process and ends", () => {
  const flow = {
    ...{ source: "10.0.0.5", destination: "192.0.2.1", source_name: null, destination_name: null },
    ...{ protocol: "tcp", port: 443, service: "https", direction: "outgoing", interface: "eth0" },
    process: { pid: 7, name: "firefox", container: null },
  } as FlowRow;
  for (const text of ["tcp/443", "https", "firefox", "192.0.2", "outgoing", "eth0"])
    assert.equal(found("flows", [flow], [text]).length, 1, text);
  assert.equal(found("flows", [flow], ["udp"]).length, 0);
});
