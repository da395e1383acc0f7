// Traffic for the tests of the page, between two network namespaces (scripts/dashboard.sh): node tests/traffic.mjs ROLE
//
//   serve    answers at every address of this namespace: HTTP on TCP 80 and 443, and datagrams on UDP 53, 123 and 161
//   talk     39 local hosts ask 60 others, each at a pace of its own, until it is ended
//   many     each of the 39 asks each of the 60 at the three ports of UDP every 20 s, until it is ended: 14,040 flows
//   scan     one local host tries 60 hosts at a port without a server, again and again for 25 s

import dgram from "node:dgram";
import net from "node:net";

const LOCAL = Array.from({ length: 39 }, (_, at) => `10.0.0.${at + 2}`);
const REMOTE = Array.from({ length: 60 }, (_, at) => `192.0.2.${at + 1}`);
const DATAGRAM_PORTS = [53, 123, 161];
const MANY_MS = 20_000;
const SCANNER = "10.0.0.60";
const SCAN_MS = 25_000;
/** A piece of an answer: a client asks for a number of them by one byte. */
const PIECE = Buffer.alloc(16_384, 0x78);

function serve() {
  for (const port of [80, 443])
    net
      .createServer((connection) => {
        connection.on("error", () => {});
        connection.on("data", (asked) => {
          for (let piece = 0; piece < asked[0]; piece += 1) connection.write(PIECE);
          connection.end();
        });
      })
      .listen(port, "0.0.0.0");
  for (const port of DATAGRAM_PORTS) {
    const answering = dgram.createSocket("udp4");
    answering.on("message", (question, from) => answering.send(Buffer.alloc(120), from.port, from.address));
    answering.bind(port, "0.0.0.0");
  }
}

/** Asks for `pieces` pieces of `host`. */
function fetchFrom(localAddress, host, port, pieces) {
  const connection = net.connect({ host, port, localAddress });
  connection.on("error", () => {});
  connection.on("connect", () => connection.write(Buffer.from([pieces])));
  connection.resume();
}

function talk() {
  LOCAL.forEach((local, at) => {
    const names = dgram.createSocket("udp4");
    names.on("error", () => {});
    names.bind(0, local);
    let turn = at;
    setInterval(
      () => {
        turn += 7;
        const host = REMOTE[turn % REMOTE.length];
        names.send(Buffer.alloc(40), 53, host);
        fetchFrom(local, host, turn % 3 === 0 ? 80 : 443, 1 + ((turn * at) % 20));
      },
      400 + 40 * at,
    );
  });
}

function many() {
  LOCAL.forEach((local) => {
    const asking = dgram.createSocket("udp4");
    asking.on("error", () => {});
    asking.bind(0, local);
    const targets = REMOTE.flatMap((host) => DATAGRAM_PORTS.map((port) => [host, port]));
    let turn = 0;
    setInterval(() => {
      const [host, port] = targets[turn % targets.length];
      turn += 1;
      asking.send(Buffer.alloc(40), port, host);
    }, MANY_MS / targets.length);
  });
}

function scan() {
  const end = Date.now() + SCAN_MS;
  let turn = 0;
  const timer = setInterval(() => {
    if (Date.now() > end) clearInterval(timer);
    for (let count = 0; count < 4; count += 1, turn += 1) {
      const connection = net.connect({ host: REMOTE[turn % REMOTE.length], port: 9, localAddress: SCANNER });
      connection.on("error", () => {});
    }
  }, 100);
}

const roles = { serve, talk, many, scan };
const role = roles[process.argv[2]];
if (role === undefined) throw new Error(`name a role: ${Object.keys(roles).join(", ")}`);
role();
