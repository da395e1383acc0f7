import assert from "node:assert/strict";
import { test } from "node:test";
import { narrowed } from "../src/tables/download.ts";

const HEAD =
  "address,is_local,name,name_dns,name_dhcp,name_vendor,name_mac,name_country,name_asn,name_organisation,bytes\n";
const PHONE = '10.0.0.5,true,phone.lan,phone.lan,,"Example, ""Inc""",,,,,2000\n';
const SERVER = '192.0.2.1,false,"two\nlines",,,,,,64496,Example Net,1000\n';

test("comma-separated values keep the records of the search as they are", () => {
  const csv = HEAD + PHONE + SERVER;
  const kept = (...texts: string[]): string => narrowed("hosts", "csv", csv, texts);
  assert.equal(kept("PHONE"), HEAD + PHONE);
  assert.equal(kept('"inc"'), HEAD + PHONE);
  assert.equal(kept("lines"), HEAD + SERVER);
  assert.equal(kept("as64496"), HEAD + SERVER);
  assert.equal(kept("example"), csv);
  assert.equal(kept("example", "-phone"), HEAD + SERVER);
  // Figures are no text.
  assert.equal(kept("2000"), HEAD);
  assert.equal(narrowed("hosts", "csv", "", ["x"]), "");
});

test("a record without the end of a line is one too", () => {
  assert.equal(
    narrowed("protocols", "csv", "protocol,number\r\ntcp,6\r\nudp,17", ["udp"]),
    "protocol,number\r\nudp,17",
  );
});

test("flows and devices are found by all of their texts, in both formats alike", () => {
  const flow = {
    ...{ source: "10.0.0.5", destination: "2001:db8::1", protocol: "tcp", port: 443, service: "https" },
    ...{ reply: false, direction: "outgoing", interface: "eth0", source_name: null, destination_name: null },
    process: { pid: 7, name: "firefox", container: null },
  };
  const flows = JSON.stringify({ total_rows: 1, rows: [flow] });
  const csv =
    "source,destination,protocol,port,service,reply,direction,interface,source_name,destination_name,process_pid,process_name,process_container\n" +
    "10.0.0.5,2001:db8::1,tcp,443,https,false,outgoing,eth0,,,7,firefox,\n";
  for (const [text, count] of [
    ["tcp/443", 1],
    ["firefox", 1],
    ["2001:db8", 1],
    ["eth0", 1],
    ["udp", 0],
  ] as const) {
    assert.equal(narrowed("flows", "csv", csv, [text]).split("\n").length - 2, count, text);
    const { total_rows, rows } = JSON.parse(narrowed("flows", "json", flows, [text])) as {
      total_rows: number;
      rows: [];
    };
    assert.deepEqual([total_rows, rows.length], [count, count], text);
  }
  const devices = "mac,vendor,name,addresses\n02:00:00:00:00:05,,,10.0.0.5 fd00::5\n,,,10.0.0.6\n";
  assert.equal(narrowed("devices", "csv", devices, ["fd00"]), devices.split("\n").slice(0, 2).join("\n") + "\n");
});
