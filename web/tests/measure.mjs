// Measures the page at 500 hosts and 2,000 edges: frames per second while the chart moves, the longest task once it is laid out,
// and the time to the first view. Fails beyond the limits.

import { cpus, loadavg } from "node:os";
import { DEADLINE, EXPORTER, close, launch } from "./browser.mjs";

const HOSTS = 500;
const EDGES = 2_000;
const LIMITS = { frames: 30, task: 50, first: 1_000 };

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

const browser = await launch();
// The first page of a browser pays for its start.
await firstView(browser);
const first = await firstView(browser);
const chart = await largeChart(browser);
await close();
console.log(
  `first view: figures after ${first.figures.toFixed(0)} ms, chart after ${first.chart.toFixed(0)} ms (limit ${LIMITS.first})`,
);
const perFrame = ({ sum, frames }) => sum / Math.max(1, frames);
for (const [name, { result, longest, ...all }] of Object.entries(chart)) {
  console.log(
    `${HOSTS} hosts, ${EDGES} edges, ${name}: ${result.toFixed(1)} frames/s, ${perFrame(all).toFixed(1)} ms of the processor a frame, longest task ${longest.toFixed(1)} ms (limits ${LIMITS.frames} frames/s, ${LIMITS.task} ms)`,
  );
}
console.log(`load of the machine: ${loadavg()[0].toFixed(1)} on ${cpus().length} processors`);
// A frame may cost the time between two of them; on an idle machine that is the rate that is seen.
const holds =
  first.figures <= LIMITS.first &&
  perFrame(chart.moving) <= 1000 / LIMITS.frames &&
  perFrame(chart.pointing) <= 1000 / LIMITS.frames &&
  chart.pointing.longest <= LIMITS.task;
process.exit(holds ? 0 : 1);
