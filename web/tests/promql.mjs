// Every expression of PromQL that the page can copy, asked of a real Prometheus that scrapes the exporter.

import assert from "node:assert/strict";
import { exec, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ask, DEADLINE, eventually, EXPORTER, withPage } from "./browser.mjs";

const program = process.env.TM_PROMETHEUS;
const alertCommand = process.env.TM_ALERT_COMMAND;
const ADDRESS = "127.0.0.1:9090";
const TABLES = ["hosts", "devices", "pairs", "flows", "services", "protocols"];
/** No filter; one and several alternatives of labels; a sign; a word that no label has. */
const FILTERS = [
  "",
  "protocol:tcp",
  "host:10.0.0.3",
  "10.0.0.3 host:192.0.2.10/32",
  "src:10.0.0.3 port:443",
  "direction:incoming -port:80",
  "dst:192.0.2.0/24 protocol:udp",
];
/** A new series has data after two scrapes. */
const SETTLES_WITHIN = 60_000;

/** The result of an instant query; an expression that Prometheus cannot read fails the test. */
async function query(expression) {
  const answer = await fetch(`http://${ADDRESS}/api/v1/query?${new URLSearchParams({ query: expression })}`);
  const { status, data, error } = await answer.json();
  assert.equal(status, "success", `${expression}: ${error}`);
  return data.result;
}

async function withPrometheus(run) {
  const folder = await mkdtemp(join(tmpdir(), "tm-prometheus-"));
  const job = `{job_name: trafficmonitor, static_configs: [{targets: ['${new URL(EXPORTER).host}']}]}`;
  await writeFile(join(folder, "prometheus.yml"), `global: {scrape_interval: 1s}\nscrape_configs: [${job}]\n`);
  const options = ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", `--web.listen-address=${ADDRESS}`];
  const prometheus = spawn(program, options, { cwd: folder, stdio: "ignore" });
  const ended = new Promise((done) => prometheus.once("close", done));
  try {
    await eventually(() => query("rate(trafficmonitor_flow_bytes_total[5m])").then(hasData, () => false), "a scrape");
    await run();
  } finally {
    prometheus.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

const hasData = (result) => result.length > 0 && result.every(({ value }) => Number.isFinite(Number(value[1])));
const isMoving = (result) => result.some(({ value }) => Number(value[1]) > 0);

/** The expressions of the table that is shown: its own, and those of its rows. */
async function expressionsOf(page) {
  await eventually(async () => (await page.locator('.table-space[aria-busy="false"]').count()) === 1, "the rows");
  const titles = (selector) => page.locator(selector).evaluateAll((all) => all.map(({ title }) => title));
  return { table: await titles(".downloads .copy"), rows: await titles(".tables tbody .copy") };
}

/** Raises an alert, and asks for its expression while it fires. */
async function alertHasData() {
  const traffic = exec(alertCommand);
  try {
    const firing = async () =>
      (await ask("alerts?state=active")).active.find(({ state, promql }) => state === "firing" && promql !== null);
    await eventually(async () => (await firing()) !== undefined, "a firing alert", 4 * DEADLINE);
    const { promql } = await firing();
    await eventually(async () => hasData(await query(promql)), promql, SETTLES_WITHIN);
  } finally {
    traffic.kill();
  }
}

test(
  "every expression of a table, its rows and an alert has data in Prometheus, with and without a filter",
  { skip: program === undefined && "needs TM_PROMETHEUS, the path of the program prometheus" },
  () =>
    withPrometheus(async () => {
      const alert = alertCommand === undefined ? Promise.resolve() : alertHasData();
      const asked = new Set();
      const holds = async (expression, condition, where) => {
        if (asked.has(expression)) return;
        asked.add(expression);
        await eventually(async () => condition(await query(expression)), `${where}: ${expression}`, SETTLES_WITHIN);
      };
      for (const filter of FILTERS) {
        for (const [at, table] of TABLES.entries()) {
          const [range, unit] = at % 2 === 0 ? ["live", "bits"] : ["all", "bytes"];
          const fragment = `#${new URLSearchParams({ range, unit, table, filter })}`;
          await withPage({ fragment }, async (page) => {
            await page.locator(".tables").scrollIntoViewIfNeeded();
            await page.locator(".tables tbody tr").first().waitFor();
            const { table: own, rows } = await expressionsOf(page);
            assert.equal(own.length, 1);
            await holds(own[0], (result) => hasData(result) && isMoving(result), fragment);
            await Promise.all(rows.map((expression) => holds(expression, hasData, fragment)));
            // The row with the most bytes has traffic.
            await holds(`${rows[0]} `, isMoving, fragment);
          });
        }
      }
      assert.ok(asked.size > 500, `${asked.size} expressions`);
      await alert;
    }),
);
