// The tables: sort, search, pages, downloads, PromQL.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ask, asked, eventually, withPage } from "./browser.mjs";

const isReady = (page) =>
  eventually(async () => (await page.locator('.table-space[aria-busy="false"]').count()) === 1, "the rows");

async function openTables(page) {
  await page.locator(".tables").scrollIntoViewIfNeeded();
  await isReady(page);
}

/** Chooses a table and waits for its rows. Until the page is drawn again, the table before it is still there, and ready. */
async function choose(page, title) {
  const tab = page.getByRole("tab", { name: title, exact: true });
  await tab.click();
  const id = await tab.getAttribute("id");
  await page.locator(`.table-space[aria-labelledby="${id}"]`).waitFor();
  await isReady(page);
}

test("each table has the rows of the API", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    await openTables(page);
    for (const [name, title] of [
      ["hosts", "Hosts"],
      ["devices", "Local devices"],
      ["pairs", "Pairs"],
      ["flows", "Flows"],
      ["services", "Services"],
      ["protocols", "Protocols"],
    ]) {
      await choose(page, title);
      const { total_rows } = await ask(`${name}?range=all&limit=1`);
      const rows = await page.locator(".tables tbody tr").count();
      assert.ok(total_rows === 0 ? rows === 0 : rows > 0, `${name}: ${rows} rows, ${total_rows} in the API`);
    }
  }));

test("a press on a column sorts by it, and a second one turns the order round", () =>
  withPage({ fragment: "#range=all" }, async (page, { requests }) => {
    await openTables(page);
    const from = requests.length;
    const header = page.getByRole("columnheader", { name: "Packets" });
    await header.getByRole("button").click();
    await eventually(
      () =>
        asked(requests, "hosts", from).some(
          (given) => given.get("sort") === "packets" && given.get("order") === "desc",
        ),
      "the order of the API",
    );
    assert.equal(await header.getAttribute("aria-sort"), "descending");
    await isReady(page);
    const cells = async () =>
      (await page.locator(".tables tbody td:nth-child(8)").allInnerTexts()).map((text) =>
        Number(text.replaceAll(",", "")),
      );
    await eventually(async () => {
      const numbers = await cells();
      return numbers.every((value, index) => index === 0 || value <= numbers[index - 1]);
    }, "falling numbers of packets");
    await header.getByRole("button").click();
    assert.equal(await header.getAttribute("aria-sort"), "ascending");
    await eventually(async () => {
      const numbers = await cells();
      return numbers.every((value, index) => index === 0 || value >= numbers[index - 1]);
    }, "rising numbers of packets");
  }));

test("the search narrows the table alone", () =>
  withPage({ fragment: "#range=all&table=protocols" }, async (page, { requests }) => {
    await openTables(page);
    const from = requests.length;
    await page.getByLabel("Search in the table").fill("protocol:tcp");
    await eventually(
      () => asked(requests, "protocols", from).some((given) => given.get("filter") === "protocol:tcp"),
      "a search",
    );
    await isReady(page);
    assert.deepEqual(await page.locator(".tables tbody td:first-child").allInnerTexts(), ["tcp"]);
    assert.ok(asked(requests, "graph", from).every((given) => given.get("filter") === null));
  }));

test("the search keeps the rows whose own cells contain the text", () =>
  withPage({ fragment: "#range=all&table=hosts" }, async (page, { requests }) => {
    await openTables(page);
    const from = requests.length;
    await page.getByLabel("Search in the table").fill("10.0.0.1");
    await eventually(() => asked(requests, "hosts", from).some((given) => given.get("limit") === "10000"), "all rows");
    await isReady(page);
    const hosts = async () => page.locator(".tables tbody .host > button").allInnerTexts();
    await eventually(async () => {
      const found = await hosts();
      return found.length > 1 && found.every((text) => text.includes("10.0.0.1"));
    }, "the rows of the text");
    await page.locator(".downloads", { hasText: "PromQL without: search" }).waitFor();
    await page.getByLabel("Search in the table").fill("no such text");
    await page.locator(".tables .empty").waitFor();
  }));

async function download(page, name) {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.locator(".downloads").getByRole("link", { name, exact: true }).click(),
  ]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

test("a table is downloaded as CSV and as JSON", () =>
  withPage({ fragment: "#range=all&table=protocols" }, async (page) => {
    await openTables(page);
    const csv = await download(page, "CSV");
    assert.match(csv.name, /\.csv$/);
    assert.match(csv.text.split("\n")[0], /protocol/);
    const json = JSON.parse((await download(page, "JSON")).text);
    assert.ok(json.rows.length > 0);
    assert.equal(csv.text.trim().split("\n").length, json.rows.length + 1);
  }));

test("a download has the rows that are shown: filtered, searched and sorted", () =>
  withPage(
    {
      fragment: "#range=all&table=pairs&filter=protocol%3Atcp&search=10.0.0.1%20-10.0.0.12&sort=a&order=asc",
      expects: /ERR_FAILED/,
    },
    async (page) => {
      await openTables(page);
      const expected = async () => {
        const { rows: all } = await ask("pairs?range=all&filter=protocol:tcp&sort=a&order=asc&limit=10000");
        const some = all
          .map(({ a, b }) => `${a} ${b}`)
          .filter((ends) => ends.includes("10.0.0.1") && !ends.includes("10.0.0.12"));
        assert.ok(some.length > 50 && some.length < all.length, `${some.length} of ${all.length}`);
        return some;
      };
      // Traffic goes on: a file has what was there before it, and nothing that is not there after it, in order.
      const between = async (before, ends) => {
        const after = await expected();
        assert.deepEqual(
          ends,
          after.filter((pair) => ends.includes(pair)),
        );
        assert.deepEqual(
          before.filter((pair) => !ends.includes(pair)),
          [],
        );
        return after;
      };
      const before = await expected();
      const csv = await download(page, "CSV");
      assert.equal(csv.name, "pairs.csv");
      const records = csv.text.trim().split("\n");
      assert.match(records[0], /^a,b,/);
      const later = await between(
        before,
        records.slice(1).map((record) => record.split(",").slice(0, 2).join(" ")),
      );
      const json = await download(page, "JSON");
      assert.equal(json.name, "pairs.json");
      const { total_rows, rows } = JSON.parse(json.text);
      await between(
        later,
        rows.map(({ a, b }) => `${a} ${b}`),
      );
      assert.equal(total_rows, rows.length);
      await eventually(async () => {
        const { length } = await expected();
        return new RegExp(`of ${length}\\b`).test(await page.locator(".tables .pages").innerText());
      }, "the page counts the rows of the search");
      await page.route("**/api/v1/pairs*format=csv*", (route) => route.abort());
      await page.locator(".downloads").getByRole("link", { name: "CSV", exact: true }).click();
      await page.locator(".downloads a", { hasText: "CSV failed" }).waitFor();
    },
  ));

test("a row and a table are copied as PromQL", () =>
  withPage(
    {
      fragment: "#range=all&table=protocols&filter=protocol%3Atcp",
      permissions: ["clipboard-read", "clipboard-write"],
    },
    async (page) => {
      await openTables(page);
      const copied = () => page.evaluate(() => navigator.clipboard.readText());
      await page.locator(".tables tbody .copy").first().click();
      await eventually(
        async () =>
          (await copied()) === '8 * sum by (direction) (rate(trafficmonitor_flow_bytes_total{protocol="tcp"}[1h]))',
        "the row's expression",
      );
      await page.getByRole("button", { name: "Copy as PromQL: the largest rows of the table" }).click();
      await eventually(
        async () =>
          (await copied()) === '8 * sum by (protocol) (rate(trafficmonitor_flow_bytes_total{protocol="tcp"}[1h]))',
        "the table's expression",
      );
      assert.doesNotMatch(await page.locator(".downloads").innerText(), /without/);
      await page.getByRole("combobox", { name: "Filter" }).fill("192.0.2.0/24");
      await page.keyboard.press("Enter");
      await page.locator(".downloads", { hasText: "PromQL without: CIDR" }).waitFor();
    },
  ));

test("where rows leave, the last page takes the place of one that is past it", () => {
  let total = 250;
  let row = null;
  const change = (name, body, request) => {
    if (name !== "hosts" || request.url().endsWith("limit=10")) return body;
    row ??= body.rows[0];
    const offset = Number(new URL(request.url()).searchParams.get("offset") ?? 0);
    return { ...body, total_rows: total, rows: offset < total ? [row] : [] };
  };
  return withPage({ change, fragment: "#range=live" }, async (page) => {
    await openTables(page);
    for (const rows of ["51–100", "101–150"]) {
      await page.getByRole("button", { name: "Next" }).click();
      await page.locator(".pages", { hasText: `Rows ${rows} of 250` }).waitFor();
    }
    total = 80;
    await page.locator(".pages", { hasText: "Rows 51–80 of 80" }).waitFor();
    await eventually(async () => (await page.locator(".tables tbody tr").count()) === 1, "its row");
  });
});

test("peers that sums of small flows may hide are a lower bound", () => {
  const change = (name, body) =>
    ["hosts", "devices"].includes(name)
      ? { ...body, rows: body.rows.map((row, at) => ({ ...row, peers: 455, peers_is_lower_bound: at === 0 })) }
      : body;
  return withPage({ change, fragment: "#range=all" }, async (page) => {
    await openTables(page);
    for (const title of ["Hosts", "Local devices"]) {
      await choose(page, title);
      const cell = page.locator(".tables tbody td", { hasText: /^455\+$/ });
      await cell.first().waitFor();
      assert.equal(await cell.count(), 1);
      assert.match(await cell.locator("span").getAttribute("title"), /At least/);
      await page.locator(".tables tbody td", { hasText: /^455$/ }).first().waitFor();
    }
  });
});

test("a sum of several ports is named with a gap, and the button of a row has its label in words", () => {
  const sum = { source: "10.9.8.7", destination: null, protocol: "udp", port: null, service: "other", reply: false };
  const change = (name, body) =>
    ["flows", "services"].includes(name)
      ? {
          ...body,
          rows: body.rows.slice(0, 1).map((row) => ({ ...row, ...sum, direction: "outgoing", interface: "eth0" })),
        }
      : body;
  return withPage({ change, fragment: "#range=all&table=flows" }, async (page) => {
    await openTables(page);
    const label = "PromQL of 10.9.8.7 to other, udp other ports, outgoing, at eth0";
    await page.getByRole("button", { name: label, exact: true }).waitFor();
    for (const title of ["Flows", "Services"]) {
      await choose(page, title);
      const name = page.locator(".tables tbody .name", { hasText: /^other ports$/ });
      await name.waitFor();
      assert.ok((await name.evaluate((one) => parseFloat(getComputedStyle(one).marginLeft))) > 0);
    }
  });
});
