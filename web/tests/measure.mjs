// Measures the page: the time to the first view; at 500 hosts and 2,000 edges frames per second while the chart moves, and the
// longest task once it is laid out; and what ten open pages cost the exporter. Fails beyond the limits.
//
// TM_MANY_COMMAND is a command that makes more than 10,000 flows; without it the flows are those at hand. TM_EXPORTER_PID is the
// process whose cost is measured. scripts/dashboard.sh gives both.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { ask, DEADLINE, EXPORTER, close, eventually, launch } from "./browser.mjs";

const HOSTS = 500;
const EDGES = 2_000;
const EXPORTER_PID = process.env.TM_EXPORTER_PID;
/** Clock ticks in a second, on every architecture of Linux that Chromium has. */
const TICKS = 100;
const FLOWS = 10_000;
const PAGES = 10;
const PAGES_MS = 30_000;
/** The cost of all pages is in parts of a core. */
const LIMITS = { frames: 30, task: 50, first: 1_000, cost: 0.02 };

/** A chart of the full size, alike each time. */
function largeGraph() {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const heavy = () => Math.round(100 + 1e8 * random() ** 12);
  const nodes = Array.from({ length: HOSTS }, (_, id) => ({
    id,
    address: `10.${id >> 8}.${id & 255}.1`,
    name: id % 5 === 0 ? `host-${id}.example` : null,
    is_local: id % 3 === 0,
    is_other: false,
    hosts: 1,
    bytes: heavy(),
    alerts: id === 7 ? 1 : 0,
  }));
  const edges = Array.from({ length: EDGES }, () => {
    const bytes = heavy();
    const source = Math.floor(random() ** 2 * HOSTS);
    return {
      source,
      target: (source + 1 + Math.floor(random() * (HOSTS - 1))) % HOSTS,
      bytes,
      packets: bytes >> 9,
      top: [{ protocol: "tcp", port: 443, service: "https", bytes }],
    };
  });
  return {
    range: "live",
    seconds: 60,
    number: 1,
    min_bytes: 0,
    folded: { below_min_bytes: 0, past_nodes: 0 },
    nodes,
    edges,
    left_out: { edges: 0, bytes: 0, packets: 0 },
  };
}

/** Milliseconds from the request of the page to the first figures, and to the first chart, by the page's own clock. */
async function firstView(browser) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(() => {
    window.first = {};
    const look = () => {
      const has = (selector) => document.querySelector(selector) !== null;
      if (/\d/.test(document.querySelector(".tile-rate")?.textContent ?? "") && has(".top-host"))
        window.first.figures ??= performance.now();
      if (has('.force[data-placed="true"]')) window.first.chart ??= performance.now();
      if (window.first.figures === undefined || window.first.chart === undefined) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await page.goto(`${EXPORTER}/dashboard`);
  await page.waitForFunction(() => window.first.figures !== undefined && window.first.chart !== undefined, null, {
    timeout: DEADLINE,
  });
  const first = await page.evaluate(() => window.first);
  await page.close();
  return first;
}

/** Draws for so many seconds, and gives the frames per second. */
const count = (page, seconds) =>
  page.evaluate(
    (length) =>
      new Promise((done) => {
        const times = [];
        const start = performance.now();
        const frame = (now) => {
          times.push(now);
          if (now - start < length) requestAnimationFrame(frame);
          else done((1000 * (times.length - 1)) / (times.at(-1) - times[0]));
        };
        requestAnimationFrame(frame);
      }),
    seconds * 1000,
  );

/**
 * Runs `work` and gives the tasks of the page's main thread meanwhile, in milliseconds of the processor: what other programs of
 * the machine take does not count.
 */
async function tasksOf(page, work) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] },
  });
  const result = await work();
  const complete = new Promise((done) => session.once("Tracing.tracingComplete", done));
  await session.send("Tracing.end");
  await complete;
  await session.detach();
  const main = events
    .filter((event) => event.name === "FireAnimationFrame")
    .reduce((counts, { pid, tid }) => counts.set(`${pid}/${tid}`, (counts.get(`${pid}/${tid}`) ?? 0) + 1), new Map());
  const thread = [...main].sort(([, left], [, right]) => right - left)[0]?.[0];
  const own = events.filter(({ pid, tid }) => `${pid}/${tid}` === thread);
  const times = own
    .filter(({ name, ph }) => ph === "X" && /RunTask|ThreadControllerImpl::RunTask/.test(name))
    .map(({ tdur }) => (tdur ?? 0) / 1000);
  const frames = new Set(own.filter(({ name }) => name === "FireAnimationFrame").map(({ ts }) => ts)).size;
  return { result, longest: Math.max(0, ...times), sum: times.reduce((all, time) => all + time, 0), frames };
}

async function largeChart(browser) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const graph = JSON.stringify(largeGraph());
  await page.route("**/api/v1/graph*", (route) => route.fulfill({ contentType: "application/json", body: graph }));
  await page.goto(`${EXPORTER}/dashboard`);
  await page.locator('.force[data-placed="true"]').waitFor({ timeout: DEADLINE });
  const moving = await tasksOf(page, () => count(page, 3));
  await page.waitForTimeout(6_000);
  await page.locator(".canvases").scrollIntoViewIfNeeded();
  const box = await page.locator(".canvases").boundingBox();
  const pointing = await tasksOf(page, async () => {
    const frames = count(page, 4);
    for (let step = 0; step < 60; step += 1)
      await page.mouse.move(box.x + (box.width * step) / 60, box.y + box.height * (0.5 + 0.4 * Math.sin(step / 5)));
    return frames;
  });
  await page.close();
  return { moving, pointing };
}

/** CPU time of the exporter since its start, in seconds, as proc(5) has it: its metric has whole seconds. */
async function exporterSeconds() {
  const fields = (await readFile(`/proc/${EXPORTER_PID}/stat`, "utf8")).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The part of a core that the exporter takes meanwhile. */
async function costOf(work) {
  const [before, start] = [await exporterSeconds(), performance.now()];
  await work();
  const seconds = (performance.now() - start) / 1000;
  return ((await exporterSeconds()) - before) / seconds;
}

const wait = () => new Promise((done) => setTimeout(done, PAGES_MS));

/** The part of a core that the exporter takes with ten pages of these views, and what they ask for in a second. */
async function costOfPages(browser, fragments) {
  const contexts = [];
  let requests = 0;
  for (const fragment of fragments) {
    // As of ten people: one browser has at most six connections to a host, and each page holds a stream.
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    contexts.push(context);
    const page = await context.newPage();
    page.on("request", () => (requests += 1));
    await page.goto(`${EXPORTER}/dashboard${fragment}`);
    await page.locator('.force[data-placed="true"]').waitFor({ timeout: DEADLINE });
  }
  requests = 0;
  const cost = await costOf(wait);
  const asked = requests / (PAGES_MS / 1000);
  await Promise.all(contexts.map((context) => context.close()));
  return { cost, asked };
}

/** The cost of ten pages that show the same, and of ten that each filter by another host: equal answers are rendered once. */
async function tenPages(browser) {
  const without = await costOf(wait);
  const alike = await costOfPages(browser, Array(PAGES).fill(""));
  const { rows } = await ask(`hosts?range=live&limit=${PAGES}`);
  const filters = rows.map(({ address }) => `#${new URLSearchParams({ filter: `host:${address}` })}`);
  const apart = await costOfPages(browser, filters);
  // The pages' own connections are on the loopback, which is not captured here.
  const own = await ask(`flows?range=all&filter=${encodeURIComponent(`port:${new URL(EXPORTER).port}`)}&limit=1`);
  return { without, alike, apart, captured: own.total_rows };
}

/** Makes flows until there are enough, and ends what makes them with the measurement. */
async function manyFlows() {
  const command = process.env.TM_MANY_COMMAND?.split(" ");
  if (command === undefined) return () => {};
  const traffic = spawn(command[0], command.slice(1), { stdio: "ignore" });
  await eventually(async () => (await ask("snapshot")).flows >= FLOWS, `${FLOWS} flows`, 3 * DEADLINE);
  return () => traffic.kill();
}

const endTraffic = await manyFlows();
const { flows } = await ask("snapshot");
const browser = await launch();
// The first page of a browser pays for its start.
await firstView(browser);
const first = await firstView(browser);
const chart = await largeChart(browser);
const pages = EXPORTER_PID === undefined ? null : await tenPages(browser);
await close();
endTraffic();
console.log(
  `first view over ${flows} flows: figures after ${first.figures.toFixed(0)} ms, chart after ${first.chart.toFixed(0)} ms (limit ${LIMITS.first})`,
);
const perFrame = ({ sum, frames }) => sum / Math.max(1, frames);
for (const [name, { result, longest, ...all }] of Object.entries(chart)) {
  console.log(
    `${HOSTS} hosts, ${EDGES} edges, ${name}: ${result.toFixed(1)} frames/s, ${perFrame(all).toFixed(1)} ms of the processor a frame, longest task ${longest.toFixed(1)} ms (limits ${LIMITS.frames} frames/s, ${LIMITS.task} ms)`,
  );
}
const percent = (part) => `${(100 * part).toFixed(2)} %`;
const costs = pages === null ? [] : [pages.alike, pages.apart].map(({ cost }) => cost - pages.without);
if (pages !== null) {
  console.log(`without a page the exporter takes ${percent(pages.without)} of a core`);
  for (const [at, name] of ["that show the same", "with a filter each"].entries())
    console.log(
      `${PAGES} pages ${name}: ${percent(costs[at])} more (limit ${percent(LIMITS.cost)}), ${[pages.alike, pages.apart][at].asked.toFixed(1)} requests/s`,
    );
  console.log(`flows of the pages that were captured: ${pages.captured}`);
}
console.log(`load of the machine: ${loadavg()[0].toFixed(1)} on ${cpus().length} processors`);
// A frame may cost the time between two of them; on an idle machine that is the rate that is seen.
const holds =
  Math.max(first.figures, first.chart) <= LIMITS.first &&
  costs.every((cost) => cost < LIMITS.cost) &&
  (pages?.captured ?? 0) === 0 &&
  perFrame(chart.moving) <= 1000 / LIMITS.frames &&
  perFrame(chart.pointing) <= 1000 / LIMITS.frames &&
  chart.pointing.longest <= LIMITS.task;
process.exit(holds ? 0 : 1);
