// The filter box.

import assert from "node:assert/strict";
import { test } from "node:test";
import { alert, withAlerts } from "./alerts.mjs";
import { ask, asked, eventually, withPage } from "./browser.mjs";

test("a filter that is typed holds for the whole page and is removed by its chip", () =>
  withPage({ fragment: "#table=flows" }, async (page, { requests }) => {
    const from = requests.length;
    await page.getByRole("combobox", { name: "Filter" }).fill("protocol:tcp");
    await page.keyboard.press("Enter");
    await page.locator(".tables").scrollIntoViewIfNeeded();
    for (const name of ["hosts", "history", "graph", "alerts", "flows"]) {
      await eventually(
        () => asked(requests, name, from).some((given) => given.get("filter") === "protocol:tcp"),
        `${name} of the filter`,
      );
    }
    await eventually(
      async () => (await page.locator('.table-space[aria-busy="false"]').count()) === 1,
      "the rows of the filter",
    );
    const services = await page.locator(".tables tbody td:nth-child(3)").allInnerTexts();
    assert.ok(
      services.every((text) => text.startsWith("tcp")),
      services.join(),
    );
    await page.getByRole("button", { name: "Remove filter protocol:tcp" }).click();
    await eventually(() => !page.url().includes("filter="), "no filter");
  }));

test("completion gives hosts of the network, by keyboard", () =>
  withPage({}, async (page) => {
    const { rows } = await ask("hosts?range=all&limit=1&sort=bytes");
    const box = page.getByRole("combobox", { name: "Filter" });
    await box.click();
    await page.keyboard.type(rows[0].address.slice(0, -1));
    await page.locator(".suggestions [role=option]").first().waitFor();
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.locator('.suggestions [aria-selected="true"]').count(), 1);
    const { suggestions } = await ask(`search?q=${encodeURIComponent(rows[0].address.slice(0, -1))}&limit=8`);
    await page.keyboard.press("Enter");
    await page.locator(".chip").waitFor();
    assert.equal(await page.locator(".chip bdi").innerText(), suggestions[0].text);
    assert.equal(await box.inputValue(), "");
  }));

test("a key that is completed waits for its value", () =>
  withPage({}, async (page) => {
    const box = page.getByRole("combobox", { name: "Filter" });
    await box.click();
    await page.keyboard.type("direc");
    await page.locator(".suggestions [role=option]", { hasText: "direction:" }).first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await box.inputValue(), "direction:");
    await page.locator(".suggestions [role=option]", { hasText: "direction:incoming" }).first().waitFor();
    assert.equal(await page.locator(".chip").count(), 0);
  }));

test("escape closes the suggestions, and the backspace takes the last word back", () =>
  withPage({ fragment: "#filter=protocol%3Atcp" }, async (page) => {
    const { rows } = await ask("hosts?range=all&limit=1&sort=bytes");
    const box = page.getByRole("combobox", { name: "Filter" });
    await box.fill(rows[0].address.slice(0, 3));
    await page.locator(".suggestions [role=option]").first().waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".suggestions [role=option]").count(), 0);
    await page.keyboard.press("Escape");
    assert.equal(await box.inputValue(), "");
    await page.keyboard.press("Backspace");
    await eventually(async () => (await page.locator(".chip").count()) === 0, "no filter");
  }));

test("a wrong filter is answered in words, and the figures stay", () =>
  withPage({ expects: /400/ }, async (page, { requests }) => {
    const hosts = await page.locator(".top-host").count();
    await page.locator(".plots canvas").first().waitFor();
    const place = () => page.locator(".overview").evaluate((one) => one.getBoundingClientRect().top);
    await page.getByRole("combobox", { name: "Filter" }).fill("protocol:tcp");
    await page.keyboard.press("Enter");
    await eventually(() => asked(requests, "graph").some((given) => given.has("filter")), "the first filter");
    const before = await place();
    await page.getByRole("combobox", { name: "Filter" }).fill("port:banana");
    await page.keyboard.press("Enter");
    await page.locator(".filter .trouble").waitFor();
    assert.match(await page.locator(".filter .trouble").innerText(), /port.*banana/);
    assert.equal(await page.locator(".top-host").count(), hosts);
    assert.match(await page.locator(".filter .trouble").innerText(), /dimmed figures below are from before/);
    assert.equal(await place(), before, "the page does not move");
    for (const panel of ["top-hosts", "network", "traffic"]) await page.locator(`.${panel}.is-old`).waitFor();
    assert.equal(await page.locator(".firing-panel.is-old").count(), 0, "alerts are listed without the filter");
    const wrong = requests.filter((request) => request.url().includes("banana") && !request.url().includes("/search"));
    assert.equal(wrong.length, 1, "one request for a wrong filter");
    assert.equal(await page.locator(".trouble").count(), 1, "the sentence stands once");
    await page.getByRole("button", { name: "Clear" }).click();
    await eventually(async () => (await page.locator(".trouble, .is-old").count()) === 0, "no trouble");
  }));

test("a wrong filter in a shared link hides no alert and invents no figures", () => {
  const change = withAlerts({ active: [alert()], resolved: [] });
  return withPage(
    {
      fragment: "#filter=port%3Abanana",
      expects: /400/,
      change: (name, body, request) => (body.error === undefined ? change(name, body, request) : body),
    },
    async (page) => {
      await page.locator(".firing").waitFor();
      await page.locator(".card").waitFor();
      const trouble = await page.locator(".filter .trouble").innerText();
      assert.match(trouble, /banana/);
      assert.doesNotMatch(trouble, /from before/);
      await page.locator(".tables").scrollIntoViewIfNeeded();
      for (const panel of ["top-hosts", "network", "traffic", "tables"])
        await page.locator(`.${panel} .empty`, { hasText: "No figures for this filter." }).first().waitFor();
      assert.equal(await page.locator(".plot canvas").count(), 0, "no axes without figures");
      for (const sentence of await page.locator(".empty").all()) {
        const faintest = await sentence.evaluate((one) => {
          let least = 1;
          for (let at = one; at !== null; at = at.parentElement) least = Math.min(least, getComputedStyle(at).opacity);
          return least;
        });
        assert.equal(faintest, 1, await sentence.innerText());
      }
      await page.getByRole("button", { name: "Clear" }).click();
      await page.locator(".plot canvas").first().waitFor();
      await page.locator(".top-host").first().waitFor();
    },
  );
});

test("the range All with an interface is explained once and not asked", () =>
  withPage({ fragment: "#range=all&filter=interface%3Aeth0" }, async (page, { requests }) => {
    await page.locator(".filter .trouble", { hasText: "The range All has no interfaces" }).waitFor();
    await page.locator(".tables").scrollIntoViewIfNeeded();
    await page.locator(".tables.is-old").waitFor();
    for (const name of ["hosts", "graph"]) assert.deepEqual(asked(requests, name), [], name);
    assert.equal(await page.locator(".trouble").count(), 1);
    await page.getByRole("button", { name: "5 min" }).click();
    await page.locator(".top-host").first().waitFor();
    assert.equal(await page.locator(".trouble, .is-old").count(), 0);
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.getByRole("button", { name: "Remove filter interface:eth0" }).click();
    await eventually(() => asked(requests, "graph").some((given) => given.get("range") === "all"), "the chart of all");
    await page.getByLabel("Search in the table").fill("interface:eth0");
    await page.locator(".tables .trouble", { hasText: "has no interfaces" }).waitFor();
  }));

test("an interface whose name has a space is a filter in quotes", () => {
  const change = (name, body) =>
    name === "health"
      ? { ...body, interfaces: body.interfaces.map((one) => ({ ...one, name: "/tmp/my file.pcap" })) }
      : body;
  return withPage({ change, fragment: "#range=5m" }, async (page, { requests }) => {
    await page.getByRole("button", { name: "Checks" }).click();
    const from = requests.length;
    await page.locator(".health-details th button", { hasText: "/tmp/my file.pcap" }).first().click();
    const word = 'interface:"/tmp/my file.pcap"';
    await page.getByRole("button", { name: `Remove filter ${word}` }).waitFor();
    await eventually(() => asked(requests, "graph", from).some((given) => given.get("filter") === word), "the filter");
    assert.equal(await page.locator(".trouble").count(), 0, "the API understands it");
    await page.locator(".health-details th button", { hasText: "/tmp/my file.pcap" }).first().click();
    await eventually(async () => (await page.locator(".chip").count()) === 0, "no filter");
  });
});

test("a name with spaces is completed in quotes", () => {
  const suggestions = [{ text: 'interface:"my <b>file</b>"', label: "my <b>file</b>" }];
  const change = (name, body) => (name === "search" ? { suggestions } : body);
  return withPage({ change, fragment: "#range=5m" }, async (page, { requests }) => {
    const box = page.getByRole("combobox", { name: "Filter" });
    await box.click();
    await page.keyboard.type('interface:"my <b');
    await eventually(
      () => asked(requests, "search").some((given) => given.get("q") === 'interface:"my <b'),
      "the word",
    );
    await page.locator(".suggestions [role=option]").first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".chip bdi").innerText(), suggestions[0].text);
  });
});

test("a press on a top host filters by it, and a second press takes it back", () =>
  withPage({ fragment: "#range=all" }, async (page) => {
    const first = page.locator(".top-host").first();
    await first.click();
    await page.locator(".chip").waitFor();
    await eventually(
      async () => (await page.locator('.top-host[aria-pressed="true"]').count()) === 1,
      "the host is marked",
    );
    await page.locator('.top-host[aria-pressed="true"]').click();
    await eventually(async () => (await page.locator(".chip").count()) === 0, "no filter");
  }));
