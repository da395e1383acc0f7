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

test("a value with spaces stands in quotes, and is read as it was written", () => {
  assert.equal(filter.interfaceWord("/tmp/my file.pcap"), 'interface:"/tmp/my file.pcap"');
  assert.equal(filter.interfaceWord("eth0"), "interface:eth0");
  const hostile = [
    "a b",
    'a "b" -direction:incoming c',
    '"',
    "\\",
    'x \\"',
    "a\u0085b",
    "a\u00a0b",
    "\ufeff",
    "<img src=x onerror=alert(1)>",
    "a\nb",
    "\u202e gnp.exe",
    "odd:",
    "",
  ];
  for (const name of hostile) {
    const words = filter.read(`x -${filter.interfaceWord(name)} y`);
    assert.deepEqual(
      words.map(({ key, value, isNegated, isOpen }) => ({ key, value, isNegated, isOpen })),
      [
        { key: "", value: "x", isNegated: false, isOpen: false },
        { key: "interface", value: name, isNegated: true, isOpen: false },
        { key: "", value: "y", isNegated: false, isOpen: false },
      ],
      name,
    );
    const word = filter.interfaceWord(name);
    assert.equal(filter.toggled(filter.toggled("port:443", word), word), "port:443", name);
  }
});

test("quotes count at the beginning of a word or behind its key alone", () => {
  assert.deepEqual(filter.words('a"b c"d "e f" g:"h i"'), ['a"b', 'c"d', '"e f"', 'g:"h i"']);
  assert.deepEqual(filter.words('::"a b"'), ['::"a', 'b"']);
  assert.deepEqual(filter.words('"a"b c'), ['"a"b', "c"]);
});

test("quotes that are not closed are closed, so that they swallow no word that is added", () => {
  for (const [typed, normal] of [
    ['x "a b', 'x "a b"'],
    ['"a\\', '"a\\\\"'],
    ['"a\\\\', '"a\\\\"'],
    ['"a\\"', '"a\\""'],
    ['interface:"', 'interface:""'],
  ] as const) {
    assert.equal(filter.normal(typed), normal);
    assert.equal(filter.normal(normal), normal);
    assert.deepEqual(filter.words(filter.withWord(typed, "port:443")).at(-1), "port:443");
  }
});

test("the word at the caret may have spaces in quotes", () => {
  const text = 'a interface:"my fi';
  assert.deepEqual(filter.wordAt(text, text.length), { word: 'interface:"my fi', start: 2, end: text.length });
  assert.deepEqual(filter.completed(text, text.length, 'interface:"my file"'), {
    text: 'a interface:"my file" ',
    caret: 22,
  });
});

test("a network in quotes stays as it is", () => {
  assert.equal(filter.completeNetworks('"10.0.1\n" 10.0.1'), '"10.0.1\n" 10.0.1.0/24');
});

test("words for interfaces are found with either sign, in any case of letters", () => {
  assert.deepEqual(filter.interfaceWords("port:443 Interface:eth0 -interface:lo my-interface:x"), [
    "Interface:eth0",
    "-interface:lo",
  ]);
});
