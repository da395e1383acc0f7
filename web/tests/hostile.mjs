// Names from the network that mean harm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { alert, withAlerts } from "./alerts.mjs";
import { eventually, withPage } from "./browser.mjs";

const NAMES = [
  '<img src=x onerror="window.harmed=1">',
  "<script>window.harmed=1</script>",
  "\"><svg onload='window.harmed=1'>",
  "javascript:window.harmed=1",
  `"'\`&<>{{7*7}}${"${window.harmed=1}"}`,
  "a\u202egnp.exe\u0000\u001b[31m\n",
  "\ufffd\ufffd.bad-utf8",
  "x".repeat(255),
];
const FIELDS = new Set([
  "name",
  "dns",
  "dhcp",
  "vendor",
  "organisation",
  "country",
  "a_name",
  "b_name",
  "source_name",
  "destination_name",
  "service",
  "interface",
  "sentence",
  "label",
  "container",
  "program",
  "part",
]);

/** The answer with each name from the network replaced. */
function poisoned(value, next, key = "") {
  if (Array.isArray(value)) return value.map((item) => poisoned(item, next, key === "interfaces" ? "interface" : key));
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poisoned(item, next, name)]));
  return FIELDS.has(key) && (typeof value === "string" || value === null) ? next() : value;
}

const hostileNames = (name) => ({
  dns: name,
  dhcp: name,
  vendor: name,
  mac: name,
  country: name,
  asn: 64500,
  organisation: name,
});

function poison() {
  const used = new Map();
  const state = {
    active: [
      alert({
        sentence: NAMES[0],
        source_name: NAMES[1],
        explanation: NAMES[2],
        rule: NAMES[4],
        destination: "10.9.8.6",
        destination_name: NAMES[2],
        source_names: hostileNames(NAMES[3]),
        destination_names: hostileNames(NAMES[4]),
        first_targets: NAMES,
        targets: NAMES.map((name) => ({
          target: name,
          address: name,
          service: name,
          name,
          names: hostileNames(name),
        })),
        processes: NAMES.map((name) => ({ pid: 7, name, container: name })),
        runbook_url: "javascript:window.harmed=1",
        evidence_url: "//evil.example/x",
      }),
    ],
    resolved: [],
  };
  const change = withAlerts(state);
  return (name, body, request) => {
    const answer = change(name, body, request);
    if (name === "alerts") return answer;
    // The version must stay the same from answer to answer, or the page asks to be loaded again.
    let count = 0;
    if (name === "snapshot") return poisoned(answer, () => NAMES[0]);
    used.set(name, true);
    return poisoned(answer, () => NAMES[count++ % NAMES.length]);
  };
}

const TABLES = ["hosts", "devices", "pairs", "flows", "services", "protocols"];

async function isInert(page) {
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  assert.equal(await page.locator("img, iframe, object, embed, #page script, [onload], [onerror]").count(), 0);
  assert.equal(await page.locator('a[href^="javascript:" i], a[href*="evil.example"]').count(), 0);
}

test("hostile names are text in all tables, charts, alerts and the filter", () =>
  withPage({ change: poison(), fragment: "#range=all" }, async (page) => {
    await page.locator(".tables").scrollIntoViewIfNeeded();
    for (const table of TABLES) {
      await page.locator(`#tab-${table}`).click();
      await eventually(async () => (await page.locator('.table-space[aria-busy="false"]').count()) === 1, table);
      await isInert(page);
    }
    await page.locator("#tab-hosts").click();
    await page.locator(".tables tbody bdi", { hasText: "<img src=x" }).first().waitFor();
    await page.locator(".firing").click();
    await page.locator(".card-body").waitFor();
    await page.getByRole("button", { name: "Checks" }).click();
    await page.locator(".checks li").first().waitFor();
    await page.locator(".network").getByRole("button", { name: "Flows" }).click();
    await page.locator(".box").first().waitFor({ state: "attached" });
    await page.locator(".network").getByRole("button", { name: "Show as table" }).click();
    await page.getByRole("combobox", { name: "Filter" }).fill("1");
    await page.locator(".suggestions [role=option]").first().waitFor();
    await isInert(page);
    const text = await page.locator("#page").innerText();
    assert.doesNotMatch(text, /[\u0000\u001b\u202e]/, "characters that cannot be seen");
  }));

test("a name of 255 characters breaks no layout", () =>
  withPage({ change: poison(), fragment: "#range=all", viewport: { width: 390, height: 844 } }, async (page) => {
    await page.locator(".tables tbody tr").first().waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  }));

test("a hostile filter in the address is text and is answered in words", () =>
  withPage(
    {
      fragment: `#filter=${encodeURIComponent('<img/src=x/onerror="window.harmed=1"> port:<b>')}&table=%3Cb%3E&sort=__proto__`,
      expects: /400/,
    },
    async (page) => {
      await page.locator(".chip").first().waitFor();
      await isInert(page);
    },
  ));
