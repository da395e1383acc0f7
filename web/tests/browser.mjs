// A browser page over a running exporter, with what every test holds: no error on the console, no request off the host.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** The exporter's address, without a path. */
export const EXPORTER = (process.env.TM_URL ?? "").replace(/\/+$/, "");
if (EXPORTER === "")
  throw new Error("TM_URL is not set: the address of a running exporter, such as http://127.0.0.1:8888");

/** Longest time for what the exporter or the page has to do, in milliseconds. */
export const DEADLINE = 30_000;

let browser;

export async function launch() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  return browser;
}

export async function close() {
  await browser?.close();
  browser = undefined;
}

/** A changed answer that says that the exporter is gone. */
export const GONE = Symbol("gone");

/** Answers of the API are changed by `change(name, body)` on their way to the page; SSE is refused, so that the page polls. */
async function changeAnswers(page, change) {
  await page.route("**/api/v1/events", (route) =>
    route.fulfill({ status: 503, contentType: "application/json", body: '{"error":"no stream"}' }),
  );
  await page.route(/\/api\/v1\/(?!events)/, async (route) => {
    const request = route.request();
    const headers = { ...request.headers() };
    delete headers["if-none-match"];
    const response = await route.fetch({ headers }).catch(() => null);
    if (response === null) return route.abort().catch(() => {});
    if (!(response.headers()["content-type"] ?? "").includes("json")) return route.fulfill({ response });
    const body = await response.json();
    const name = new URL(request.url()).pathname.split("/").pop();
    const changed = change(name, body, request);
    if (changed === GONE) return route.abort().catch(() => {});
    const { etag: _, "content-encoding": __, "content-length": ___, ...kept } = response.headers();
    await route.fulfill({ status: response.status(), headers: kept, body: JSON.stringify(changed) });
  });
}

/** Waits until the page has its first snapshot: what the foot says of the exporter comes from it alone. */
export const firstSnapshot = (page) => page.locator(".foot", { hasText: "Local:" }).waitFor();

/**
 * Opens the page and gives it to the test. `fragment` is the view; `change` changes answers of the API; `expects` is a pattern
 * of console lines that this test provokes.
 */
export async function withPage({ fragment = "", change, expects, ...options }, test) {
  const context = await (
    await launch()
  ).newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const complaints = [];
  const requests = [];
  page.on("console", (line) => {
    const text = `${line.text()} ${line.location().url}`;
    if (["error", "warning"].includes(line.type()) && !(expects?.test(text) || (change && /events/.test(text))))
      complaints.push(text);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request));
  try {
    if (change !== undefined) await changeAnswers(page, change);
    const answer = await page.goto(`${EXPORTER}/dashboard${fragment}`);
    assert.equal(answer.status(), 200);
    // The top hosts are asked for together with the first snapshot, and may be there before it.
    await firstSnapshot(page);
    await page.locator(".top-hosts li, .top-hosts .empty, .talk .trouble").first().waitFor();
    await test(page, { context, requests });
    const strangers = requests
      .map((request) => request.url())
      .filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== new URL(EXPORTER).origin);
    assert.deepEqual(strangers, [], "requests off the host");
    assert.deepEqual(complaints, [], "lines on the console");
  } finally {
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  }
}

/** The answer of the API itself. */
export async function ask(path) {
  const response = await fetch(`${EXPORTER}/api/v1/${path}`);
  assert.equal(response.status, 200, path);
  return response.json();
}

/** Waits until the condition holds; fails with the last reason at the deadline. */
export async function eventually(condition, what, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    if (await condition()) return;
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** The share of the canvas that is not empty. */
export const painted = (page, selector) =>
  page
    .locator(selector)
    .first()
    .evaluate((canvas) => {
      if (canvas.width === 0 || canvas.height === 0) return 0;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let index = 3; index < data.length; index += 4) if (data[index] > 0) count += 1;
      return (4 * count) / data.length;
    });

/** Requests of the API by name since the list had `from` entries. */
export const asked = (requests, name, from = 0) =>
  requests
    .slice(from)
    .filter((request) => new URL(request.url()).pathname.endsWith(`/api/v1/${name}`))
    .map((request) => new URL(request.url()).searchParams);
