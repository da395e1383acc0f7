// Pictures of the page for the documents: light, dark and a phone.
//
//   TM_URL=http://127.0.0.1:8888 node tests/pictures.mjs FOLDER

import { join } from "node:path";
import { close, EXPORTER, launch } from "./browser.mjs";

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: pictures.mjs FOLDER");

const PICTURES = [
  { name: "light", fragment: "#range=5m", colorScheme: "light", viewport: { width: 1440, height: 900 } },
  { name: "dark", fragment: "#range=5m&chart=sankey", colorScheme: "dark", viewport: { width: 1440, height: 900 } },
  {
    name: "phone",
    fragment: "#range=5m",
    colorScheme: "light",
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
];

/** The layout of the chart has come to rest. */
const REST = 6_000;

const browser = await launch();
for (const { name, fragment, ...options } of PICTURES) {
  const page = await browser.newPage({ ...options, reducedMotion: "reduce" });
  await page.goto(`${EXPORTER}/dashboard${fragment}`);
  await page.locator(".top-host").first().waitFor();
  await page.waitForTimeout(REST);
  const path = join(folder, `dashboard-${name}.png`);
  await page.screenshot({ path });
  await page.close();
  console.log(path);
}
await close();
