// An exporter that is gone, busy, restarted or replaced.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, GONE, withPage } from "./browser.mjs";

test("without the exporter the page says so, keeps its figures with their age, and comes back", () => {
  let isGone = false;
  return withPage({ change: (_, body) => (isGone ? GONE : body), expects: /ERR_FAILED/ }, async (page) => {
    await page.locator(".pill", { hasText: "Polling" }).waitFor();
    const hosts = await page.locator(".top-host").count();
    isGone = true;
    await eventually(
      async () =>
        /cannot be reached.*old/.test(
          await page
            .locator(".health.status-critical p")
            .innerText()
            .catch(() => ""),
        ),
      "the sentence",
    );
    await eventually(async () => /^\d+ s old$/.test(await page.locator(".pill").innerText()), "the age");
    const announced = () => page.locator('[aria-live="polite"].unseen').innerText();
    await eventually(async () => (await announced()) === "The exporter does not answer.", "the announcement");
    assert.match(await page.title(), /trafficmonitor: no answer$/);
    assert.equal(await page.locator(".top-host").count(), hosts);
    assert.equal(await page.locator(".firing-panel .calm").count(), 0, "no all-clear without the exporter");
    isGone = false;
    await page.locator(".pill.ok").waitFor();
    await eventually(
      async () => !/cannot be reached/.test(await page.locator(".health p").innerText()),
      "health of the exporter",
    );
    await eventually(async () => /^Capture health: /.test(await announced()), "the announcement of the end");
  });
});

test("without event streams the page polls", () =>
  withPage({ change: (_, body) => body }, async (page, { requests }) => {
    await page.locator(".pill", { hasText: "Polling" }).waitFor();
    const polls = () => requests.filter((request) => request.url().endsWith("/api/v1/snapshot")).length;
    const from = polls();
    await eventually(() => polls() >= from + 2, "two polls");
  }));

test("after a restart all is asked again", () => {
  let restarted = false;
  const change = (name, body) =>
    name === "snapshot" && restarted ? { ...body, number: 1, history: 1, started: "2031-01-01T00:00:00.000Z" } : body;
  return withPage({ change }, async (page, { requests }) => {
    await page.getByRole("button", { name: "Pause" }).click();
    restarted = true;
    // A pause of the last run is over: its figures are of another exporter.
    await page.getByRole("button", { name: "Pause" }).waitFor();
    const from = requests.length;
    for (const name of ["hosts", "graph", "history"]) {
      await eventually(
        () => requests.slice(from - 20).some((request) => request.url().includes(`/api/v1/${name}`)),
        name,
      );
    }
    assert.ok(requests.slice(from).every((request) => request.headers()["if-none-match"] === undefined));
  });
});

test("a page that slept for an hour reopens its stream and asks for all", () =>
  withPage({ fragment: "#range=5m" }, async (page, { requests }) => {
    await page.clock.install();
    await page.reload();
    await page.locator(".pill", { hasText: "Live" }).waitFor();
    await page.locator(".top-host").first().waitFor();
    const from = requests.length;
    await page.clock.fastForward(3_600_000);
    for (const name of ["events", "snapshot", "hosts", "history", "graph"]) {
      await eventually(async () => {
        await page.clock.runFor(200);
        return requests.slice(from).some((request) => new URL(request.url()).pathname.endsWith(`/api/v1/${name}`));
      }, name);
    }
    await eventually(async () => (await page.locator(".pill").innerText()) === "Live", "the link");
  }));

test("another version of the exporter offers to load the page again", () => {
  let version = null;
  const change = (name, body) => (name === "snapshot" && version !== null ? { ...body, program: version } : body);
  return withPage({ change }, async (page) => {
    assert.equal(await page.getByRole("button", { name: /reload the page/ }).count(), 0);
    version = "99.0.0";
    await page.getByRole("button", { name: /reload the page/ }).click();
    await page.locator(".foot", { hasText: "trafficmonitor 99.0.0" }).waitFor();
    await page.getByRole("button", { name: /reload the page/ }).waitFor({ state: "detached" });
  });
});

test("an answer of another shape spoils its own panel alone", () => {
  const change = (name, body, request) =>
    name === "hosts" && request.url().endsWith("limit=10") ? { ...body, rows: [{ address: null, name: null }] } : body;
  return withPage({ change }, async (page) => {
    await page.locator('[role="alert"]', { hasText: "Top hosts" }).waitFor();
    await page.locator(".force").waitFor();
    await page.locator(".tile-rate").first().waitFor();
  });
});

test("an answer that fails is reported in its own panel, and the others go on", () =>
  withPage({ expects: /503/ }, async (page) => {
    await page.locator(".force").waitFor();
    await page.route("**/api/v1/graph*", (route) => route.fulfill({ status: 503, body: "" }));
    await page.locator(".network .trouble", { hasText: "too busy" }).waitFor();
    assert.equal(await page.locator(".top-hosts .trouble").count(), 0);
    assert.equal(await page.locator(".force").count(), 1);
    await page.unroute("**/api/v1/graph*");
    await eventually(async () => (await page.locator(".network .trouble").count()) === 0, "the chart is well again");
  }));
