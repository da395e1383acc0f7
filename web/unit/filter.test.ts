import assert from "node:assert/strict";
import { test } from "node:test";
import * as filter from "../src/filter.ts";

test("words are separated by any space and stand once", () => {
  assert.deepEqual(filter.words("  host:10.0.0.5 \t port:443\n"), ["host:10.0.0.5", "port:443"]);
  assert.equal(filter.normal(" a  b a "), "a b");
});

test("a word is added once and removed again, in any case of letters", () => {
  assert.equal(filter.toggled("", "port:443"), "port:443");
  assert.equal(filter.toggled("protocol:TCP port:443", "protocol:tcp"), "port:443");
  assert.equal(filter.withWord("port:443", "PORT:443"), "port:443");
  assert.equal(filter.withoutWord("a b c", "b"), "a c");
});

test("words that belong together come and go together", () => {
  assert.equal(filter.toggledAll("protocol:tcp", ["protocol:tcp", "port:443"]), "protocol:tcp port:443");
  assert.equal(filter.toggledAll("x protocol:tcp port:443", ["protocol:tcp", "port:443"]), "x");
});

test("the word at the caret is found at both of its ends", () => {
  assert.deepEqual(filter.wordAt("ab cde f", 6), { word: "cde", start: 3, end: 6 });
  assert.deepEqual(filter.wordAt("ab cde f", 3), { word: "cde", start: 3, end: 6 });
  assert.deepEqual(filter.wordAt("ab ", 3), { word: "", start: 3, end: 3 });
});

test("completion replaces the word at the caret and keeps its sign and the rest", () => {
  assert.deepEqual(filter.completed("port:443 10.0 x", 13, "host:10.0.0.5"), {
    text: "port:443 host:10.0.0.5 x",
    caret: 23,
  });
  assert.deepEqual(filter.completed("-10.0", 5, "host:10.0.0.5"), { text: "-host:10.0.0.5 ", caret: 15 });
  assert.deepEqual(filter.completed("!x", 2, "-host:a"), { text: "-host:a ", caret: 8 });
});

test("an address that is typed in part is its network", () => {
  const cases: [string, string][] = [
    ["10.0.1", "10.0.1.0/24"],
    ["10.", "10.0.0.0/8"],
    ["-192.168.", "-192.168.0.0/16"],
    ["2001:db8:", "2001:db8::/32"],
    ["10.0.0.5", "10.0.0.5"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["443 port:443 host:10. nas.lan 2001:db8::1", "443 port:443 host:10. nas.lan 2001:db8::1"],
    ["dead:", "dead::/16"],
  ];
  for (const [typed, meant] of cases) assert.equal(filter.completeNetworks(typed), meant);
});

test("a name with spaces is no word of a filter", () => {
  assert.equal(filter.interfaceWord("/tmp/my file.pcap"), "interface:/tmp/my file.pcap");
  assert.ok(!filter.isWord(filter.interfaceWord("/tmp/my file.pcap")));
  assert.ok(!filter.isWord(""));
  assert.ok(filter.isWord(filter.interfaceWord("eth0")));
});

test("words for interfaces are found with either sign, in any case of letters", () => {
  assert.deepEqual(filter.interfaceWords("port:443 Interface:eth0 -interface:lo my-interface:x"), [
    "Interface:eth0",
    "-interface:lo",
  ]);
});
