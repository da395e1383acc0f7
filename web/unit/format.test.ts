import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/format.ts";

test("bytes have three significant digits and an SI prefix", () => {
  const cases: [number | null, string][] = [
    [0, "0 B"],
    [1, "1 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [1234, "1.23 kB"],
    [12_345, "12.3 kB"],
    [123_456, "123 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [9_995_000, "10.0 MB"],
    [1.2e9, "1.20 GB"],
    [5e18, "5.00 EB"],
    [5e21, "5000 EB"],
    [-2048, "-2.05 kB"],
    [null, "–"],
    [Number.NaN, "–"],
  ];
  for (const [value, text] of cases) assert.equal(format.bytes(value), text);
});

test("rates are in bits or in bytes", () => {
  assert.equal(format.rate(125_000, "bits"), "1.00 Mbit/s");
  assert.equal(format.rate(125_000, "bytes"), "125 kB/s");
  assert.equal(format.rate(0.4, "bytes"), "0.40 B/s");
  assert.equal(format.rate(null, "bits"), "–");
  assert.equal(format.packetRate(10_700), "10.7k packets/s");
  assert.equal(format.packetRate(null), "–");
});

test("counts have thousands apart and their noun agrees", () => {
  assert.equal(format.count(1_234_567), "1,234,567");
  assert.equal(format.counted(1, "host"), "1 host");
  assert.equal(format.counted(0, "host"), "0 hosts");
  assert.equal(format.counted(2, "entry", "entries"), "2 entries");
});

test("small shares are not shown as nothing", () => {
  assert.equal(format.share(1, 1000), "<1 %");
  assert.equal(format.share(0, 1000), "0 %");
  assert.equal(format.share(250, 1000), "25 %");
  assert.equal(format.share(1, 0), "–");
});

test("durations have at most two units", () => {
  const cases: [number, string][] = [
    [0, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [3725, "1 h 2 min"],
    [90_000, "1 d 1 h"],
    [-5, "0 s"],
  ];
  for (const [seconds, text] of cases) assert.equal(format.duration(seconds), text);
});

test("the age of a moment has one unit and a moment to come is now", () => {
  assert.equal(format.ago(0, 12_000), "12 s ago");
  assert.equal(format.ago(0, 3_599_000), "59 min ago");
  assert.equal(format.ago(0, 90_000_000), "1 d ago");
  assert.equal(format.ago(5_000, 0), "now");
});

test("a wrong time is absent", () => {
  assert.equal(format.moment("2026-03-17T13:31:58.000Z"), 1_773_754_318_000);
  assert.equal(format.moment("yesterday"), null);
  assert.equal(format.moment(null), null);
});

test("times of other days have their date", () => {
  const noon = new Date(2026, 2, 17, 12, 0, 5).getTime();
  assert.equal(format.clock(noon), "12:00:05");
  assert.equal(format.dateTime(noon), "2026-03-17 12:00:05");
  assert.equal(format.shortTime(noon, noon + 3_600_000), "12:00:05");
  assert.equal(format.shortTime(noon, noon + 86_400_000), "03-17 12:00");
  assert.equal(format.shortTime(null, noon), "–");
});

test("characters that cannot be seen become visible", () => {
  assert.equal(format.visible("a\u202eb\u0000c\u200bd\ne"), "a�b�c�d�e");
  assert.equal(format.visible("Müller <b>&\"'"), "Müller <b>&\"'");
});

test("long names are shortened by characters and not by halves of them", () => {
  assert.equal(format.shortened("abcdef", 4), "abc…");
  assert.equal(format.shortened("abcd", 4), "abcd");
  assert.equal(format.shortened("😀😀😀", 2), "😀…");
});

test("only web addresses and own paths become links", () => {
  assert.equal(format.safeLink("https://example.org/x"), "https://example.org/x");
  assert.equal(format.safeLink("/alerts/ab/evidence"), "alerts/ab/evidence");
  for (const wrong of [
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "//evil.example/",
    "/\\evil.example",
    "data:text/html,x",
    " javascript:x",
    "",
    null,
  ]) {
    assert.equal(format.safeLink(wrong), null);
  }
});

test("figures of alerts are in the unit of their rule", () => {
  assert.equal(format.figure(1.2e9, "bytes"), "1.20 GB");
  assert.equal(format.figure(0.987, "probability"), "0.99");
  assert.equal(format.figure(1500, "hosts"), "1,500 hosts");
});
