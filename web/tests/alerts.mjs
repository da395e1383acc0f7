// Alerts that appear and resolve.

import assert from "node:assert/strict";
import { exec } from "node:child_process";
import { test } from "node:test";
import { ask, asked, DEADLINE, eventually, firstSnapshot, withPage } from "./browser.mjs";

const START = "2026-03-17T13:31:58.000Z";

export const alert = (more = {}) => ({
  fingerprint: "0123456789abcdef",
  kind: "host_scan",
  rule: "host_scan",
  state: "firing",
  severity: "warning",
  side: "local",
  source: "10.9.8.7",
  destination: null,
  network: null,
  source_name: "probe.lan",
  source_names: null,
  destination_name: null,
  destination_names: null,
  starts_at: START,
  ends_at: null,
  sentence: "10.9.8.7 tried 40 hosts in the last 170 s, 38 failed (limit 15)",
  explanation: null,
  value: 38,
  limit: 15,
  unit: "hosts",
  peak: { value: 38, limit: 15, at: START },
  bytes: null,
  scan: {
    targets: "hosts",
    network: "192.0.2.0/24",
    protocol: "tcp",
    port: 445,
    tried: 40,
    failed: 38,
    touched: 2,
    used: 0,
    is_estimate: false,
  },
  first_targets: ["192.0.2.1:445", "[2001:db8::7]:445"],
  last_targets: ["192.0.2.40:445"],
  targets: [
    { target: "192.0.2.1:445", address: "192.0.2.1", service: "microsoft-ds", name: "files.lan", names: null },
    { target: "[2001:db8::7]:445", address: "2001:db8::7", service: "microsoft-ds", name: null, names: null },
  ],
  processes: [{ pid: 812, name: "smbscan", container: "docker/0123456789ab" }],
  timeline: [
    { at: START, event: "pending" },
    { at: START, event: "firing" },
  ],
  evidence_url: "/alerts/0123456789abcdef/evidence",
  runbook_url: "https://runbooks.example/#scan",
  promql: 'trafficmonitor_alert_value{source="10.9.8.7"}',
  ...more,
});

/** Answers of an exporter with these alerts. */
export const withAlerts = (state) => (name, body, request) => {
  if (name === "snapshot")
    return {
      ...body,
      alerts: { pending: 0, firing: state.active.length, severity: state.active[0]?.severity ?? null },
    };
  if (name !== "alerts") return body;
  const resolved = new URL(request.url()).searchParams.get("state") === "resolved";
  return {
    number: 1,
    active: resolved ? [] : state.active,
    resolved: resolved ? state.resolved : [],
    resolved_limit: 1000,
    resolved_forgotten: 0,
  };
};

test("an alert appears first, is read out, opens with all that is known, and resolves", () => {
  const state = { active: [], resolved: [] };
  return withPage({ change: withAlerts(state) }, async (page) => {
    await page.locator(".firing-panel .calm").waitFor();
    state.active = [alert()];
    await page.locator(".firing").waitFor();
    await eventually(
      async () => /^Alert: 10\.9\.8\.7 tried 40 hosts/.test(await page.locator('[aria-live="polite"]').innerText()),
      "the announcement",
    );
    await eventually(async () => (await page.title()) === "(1) trafficmonitor", "the title");
    await page.locator(".firing").click();
    const card = page.locator(".card");
    await card.locator(".card-body").waitFor();
    for (const text of [
      "38 hosts, limit 15 hosts (2.5 × the limit)",
      "probe.lan",
      "192.0.2.1:445",
      "[2001:db8::7]:445",
      "192.0.2.40:445",
      "microsoft-ds – files.lan",
      "smbscan (812) in docker/0123456789ab",
      "40 hosts of 192.0.2.0/24 at tcp/445",
      "Pending",
      "Firing",
    ]) {
      assert.ok((await card.innerText()).includes(text), text);
    }
    const terms = await card.locator("dt").allInnerTexts();
    assert.ok(
      ["Tried", "Failed", "Answered, not used", "Used"].every((term) => terms.includes(term)),
      terms.join(),
    );
    assert.ok(!terms.includes("Bytes"), "a scan has no bytes");
    assert.equal(
      await card.getByRole("link", { name: /^Evidence/ }).evaluate((link) => new URL(link.href).pathname),
      "/alerts/0123456789abcdef/evidence",
    );
    assert.equal(
      await card.getByRole("link", { name: "Runbook" }).getAttribute("href"),
      "https://runbooks.example/#scan",
    );
    assert.match(page.url(), /alert=0123456789abcdef/);
    state.resolved = [alert({ state: "resolved", ends_at: "2026-03-17T13:35:00.000Z" })];
    state.active = [];
    await page.locator(".firing-panel .calm").waitFor();
    await eventually(
      async () => /^Resolved: 10\.9\.8\.7/.test(await page.locator('[aria-live="polite"]').innerText()),
      "the announcement of the end",
    );
    await page.locator(".alerts").getByRole("button", { name: "Resolved" }).click();
    await page.locator(".card.state-resolved").waitFor();
    assert.match(await page.locator(".card.state-resolved").innerText(), /lasted 3 min 2 s/);
  });
});

test("the title of a hidden page counts alerts", () => {
  const state = { active: [], resolved: [] };
  return withPage({ change: withAlerts(state) }, async (page) => {
    await page.clock.install();
    await page.reload();
    await firstSnapshot(page);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    state.active = [alert()];
    await page.clock.runFor(30_000);
    assert.equal(await page.title(), "trafficmonitor");
    await page.clock.runFor(40_000);
    await eventually(async () => (await page.title()) === "(1) trafficmonitor", "the title");
  });
});

test("a destination has its name and origin", () => {
  const names = {
    dns: "nas.lan",
    dhcp: null,
    vendor: "Vendor",
    mac: null,
    country: "NL",
    asn: 64500,
    organisation: "Example",
  };
  const about = {
    source: null,
    source_name: null,
    destination: "10.9.8.6",
    destination_name: "nas.lan",
    destination_names: names,
    sentence: "10.9.8.6 received 7.00 MB in the last 60 s, most of it from 192.0.2.9 (limit 5.00 MB)",
  };
  return withPage({ change: withAlerts({ active: [alert(about)], resolved: [] }) }, async (page) => {
    // A name stands at its own address; a closed card has it too.
    await page.locator(".card-head", { hasText: "nas.lan · 10.9.8.6 received 7.00 MB" }).waitFor();
    await page.locator(".firing", { hasText: "nas.lan · 10.9.8.6 received 7.00 MB" }).click();
    await page.locator(".card-body", { hasText: "nas.lan – NL AS64500 Example Vendor" }).waitFor();
  });
});

test("each alert shows the traffic that it is about, and the figures that it has", () => {
  const about = (fingerprint, ends, more = {}) =>
    alert({ fingerprint, kind: "bandwidth", source: null, bytes: 7_000_000, scan: null, ...ends, ...more });
  const active = [
    about("000000000000000a", { source: "10.9.8.7" }),
    about("000000000000000b", { destination: "2001:db8::9" }),
    about("000000000000000c", { network: "10.9.0.0/16" }),
    about("000000000000000d", { source: "10.9.8.7", destination: "192.0.2.9" }),
    about("000000000000000e", { source: "10.9.8.7" }, { kind: "host_scan", bytes: null }),
  ];
  return withPage({ change: withAlerts({ active, resolved: [] }) }, async (page) => {
    for (const [at, filter] of [
      "host:10.9.8.7",
      "dst:2001:db8::9",
      "10.9.0.0/16",
      "host:10.9.8.7 host:192.0.2.9",
      "host:10.9.8.7",
    ].entries()) {
      const card = page.locator(".card").nth(at);
      await card.locator(".card-head").click();
      const terms = await card.locator("dt").allInnerTexts();
      assert.equal(terms.includes("Bytes"), active[at].bytes !== null, terms.join());
      assert.ok(!terms.includes("Tried"), terms.join());
      await card.getByRole("button", { name: "Show its traffic" }).click();
      await eventually(
        () => new URLSearchParams(new URL(page.url()).hash.slice(1)).get("filter") === filter,
        `the filter ${filter}`,
      );
      assert.equal(await page.locator(".filter .trouble").count(), 0);
    }
  });
});

test("an alert outside the filter is counted and one press away", () => {
  const state = { active: [alert()], resolved: [] };
  const change = withAlerts(state);
  const filtered = (name, body, request) =>
    name === "alerts" && new URL(request.url()).searchParams.has("filter")
      ? { number: 1, active: [], resolved: [], resolved_limit: 1000, resolved_forgotten: 0 }
      : change(name, body, request);
  return withPage({ change: filtered, fragment: "#filter=protocol%3Audp" }, async (page) => {
    const button = page.getByRole("button", { name: "1 more alert outside the filter" });
    await button.waitFor();
    for (const panel of [".firing-panel", ".alerts"])
      await page
        .locator(`${panel} .empty`, { hasText: "No alert matches the filter; 1 fires outside of it." })
        .waitFor();
    await page.locator(".alerts").getByRole("button", { name: "Resolved" }).click();
    await page.locator(".alerts .empty", { hasText: "No resolved alert matches the filter." }).waitFor();
    assert.equal(await page.locator(".calm").count(), 0, "no all-clear while an alert fires");
    await page.evaluate(() => {
      window.calm = 0;
      const look = () => (window.calm += document.querySelectorAll(".firing-panel .calm").length);
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    });
    await button.click();
    await page.locator(".firing").waitFor();
    assert.equal(await page.evaluate(() => window.calm), 0, "no all-clear before the answer without the filter");
  });
});

test("the traffic of a resolved alert is shown in the shortest range that has all of it", () => {
  const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
  const about = (fingerprint, seconds) =>
    alert({ fingerprint, state: "resolved", starts_at: ago(seconds), ends_at: ago(10) });
  const resolved = [about("000000000000000a", 200), about("000000000000000b", 2000), about("000000000000000c", 7200)];
  return withPage({ change: withAlerts({ active: [], resolved }), fragment: "#alerts=resolved" }, async (page) => {
    for (const [at, range] of ["5m", "1h", "all"].entries()) {
      const card = page.locator(".card").nth(at);
      await card.locator(".card-head").click();
      await card.getByRole("button", { name: "Show its traffic" }).click();
      await eventually(() => page.url().includes(`range=${range}&filter=host`), range);
    }
  });
});

test("peers of a bandwidth alert are not called targets", () => {
  const active = [alert({ kind: "bandwidth", scan: null, bytes: 7_000_000, last_targets: [] })];
  return withPage({ change: withAlerts({ active, resolved: [] }) }, async (page) => {
    await page.locator(".card-head").click();
    const terms = await page.locator(".card dt").allInnerTexts();
    assert.ok(terms.includes("Largest peers"), terms.join());
    assert.ok(!terms.some((term) => term.includes("targets")), terms.join());
  });
});

test("a long sentence takes two lines of the short list, and is whole with the focus", () => {
  const sentence = `10.9.8.7 ${"sent a lot to many others ".repeat(20)}`;
  return withPage({ change: withAlerts({ active: [alert({ sentence })], resolved: [] }) }, async (page) => {
    const short = page.locator(".firing-sentence");
    await short.waitFor();
    const lines = () =>
      short.evaluate((one) => one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight));
    assert.ok((await lines()) < 2.5, `${await lines()} lines`);
    assert.equal(await short.getAttribute("title"), `probe.lan · ${sentence}`);
    await page.locator("#figures").focus();
    for (let at = 0; at < 30 && !(await page.locator(".firing:focus-visible").count()); at += 1)
      await page.keyboard.press("Tab");
    assert.ok((await lines()) > 4, `${await lines()} lines`);
  });
});

test("a pause hides no alert", () => {
  const state = { active: [], resolved: [] };
  return withPage({ change: withAlerts(state) }, async (page) => {
    await page.getByRole("button", { name: "Pause" }).click();
    state.active = [alert()];
    await page.locator(".firing").waitFor();
  });
});

const command = process.env.TM_ALERT_COMMAND;

test(
  "an alert of the exporter's own appears and resolves",
  { skip: command === undefined && "needs TM_ALERT_COMMAND, a command that makes traffic that raises an alert" },
  () =>
    withPage({}, async (page) => {
      const traffic = exec(command);
      try {
        await eventually(
          async () => (await ask("alerts?state=active")).active.some(({ state }) => state === "firing"),
          "a firing alert",
          4 * DEADLINE,
        );
        await page.locator(".firing").first().waitFor();
        const { active } = await ask("alerts?state=active");
        if (active[0] !== undefined)
          await page
            .locator(".firing-sentence", { hasText: active[0].source ?? "" })
            .first()
            .waitFor();
      } finally {
        traffic.kill();
      }
      await eventually(
        async () => (await ask("alerts?state=active")).active.length === 0,
        "the end of the alert",
        8 * DEADLINE,
      );
      await page.locator(".firing-panel .calm").waitFor();
      await page.locator(".alerts").getByRole("button", { name: "Resolved" }).click();
      await page.locator(".card.state-resolved").first().waitFor();
    }),
);

test("more alerts than the lists show are counted", () => {
  const active = Array.from({ length: 1000 }, (_, at) =>
    alert({ fingerprint: at.toString(16).padStart(16, "0"), sentence: `alert ${at}` }),
  );
  const given = withAlerts({ active, resolved: [] });
  const change = (name, body, request) =>
    name === "snapshot"
      ? { ...body, alerts: { pending: 0, firing: 1234, severity: "warning" } }
      : given(name, body, request);
  return withPage({ change }, async (page, { requests }) => {
    await eventually(
      async () => (await page.locator("#firing-title").innerText()).includes("1,234 firing"),
      "the true count",
    );
    assert.equal(asked(requests, "alerts")[0].get("limit"), "1000");
    assert.equal(await page.locator(".firing").count(), 100);
    const more = page.getByRole("button", { name: "1,134 more" });
    await more.click();
    const foot = page.locator(".alerts .panel-foot");
    assert.match(await foot.innerText(), /1,134 more; the page lists the first 1,000/);
    await foot.getByRole("button", { name: "Show more" }).click();
    await eventually(async () => (await page.locator(".card").count()) === 200, "more cards");
  });
});
