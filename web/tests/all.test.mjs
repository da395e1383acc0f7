// All tests of the page in a browser, over a running exporter: TM_URL=http://127.0.0.1:8888 node --test tests/all.test.mjs

import { after } from "node:test";
import { close } from "./browser.mjs";
import "./view.mjs";
import "./filter.mjs";
import "./tables.mjs";
import "./promql.mjs";
import "./alerts.mjs";
import "./hostile.mjs";
import "./robust.mjs";
import "./accessible.mjs";

after(close);
