/**
 * The start. The same script is the page and, in a worker, the layout of its chart: so the page is one file.
 */

import "./script.ts";
import { serveLayout } from "./chart/layout_worker.ts";

if (typeof document === "undefined") serveLayout(self as unknown as Parameters<typeof serveLayout>[0]);
else void import("./page.tsx").then(({ startPage }) => startPage());
