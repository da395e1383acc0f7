import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, Client, pathOf } from "../src/api.ts";

function answers(...given: Response[]): { client: Client; requests: { path: string; tag: string | null }[] } {
  const requests: { path: string; tag: string | null }[] = [];
  const client = new Client("http://host/api/v1/", (path, options) => {
    requests.push({ path, tag: new Headers(options.headers).get("if-none-match") });
    const next = given.shift();
    return next === undefined ? Promise.reject(new TypeError("fetch failed")) : Promise.resolve(next);
  });
  return { client, requests };
}

const json = (body: unknown, init: ResponseInit = {}): Response => new Response(JSON.stringify(body), init);

test("empty parameters are left out and others are escaped", () => {
  assert.equal(pathOf("hosts", { range: "live", filter: "", limit: 0 }), "hosts?range=live&limit=0");
  assert.equal(pathOf("hosts", { filter: "host:a&b c" }), "hosts?filter=host%3Aa%26b+c");
  assert.equal(pathOf("snapshot"), "snapshot");
});

test("an unchanged answer is the last one", async () => {
  const { client, requests } = answers(
    json({ n: 1 }, { headers: { etag: 'W/"1"' } }),
    new Response(null, { status: 304 }),
  );
  assert.deepEqual(await client.get("hosts"), { n: 1 });
  assert.deepEqual(await client.get("hosts"), { n: 1 });
  assert.deepEqual(requests, [
    { path: "http://host/api/v1/hosts", tag: null },
    { path: "http://host/api/v1/hosts", tag: 'W/"1"' },
  ]);
});

test("after a restart no tag is sent", async () => {
  const { client, requests } = answers(json({}, { headers: { etag: 'W/"1"' } }), json({}));
  await client.get("hosts");
  client.forget();
  await client.get("hosts");
  assert.equal(requests[1]?.tag, null);
});

test("an answer is kept for the most recent addresses only", async () => {
  const tagged = Array.from({ length: 70 }, () => json({}, { headers: { etag: 'W/"1"' } }));
  const { client, requests } = answers(...tagged);
  for (let path = 0; path < 69; path += 1) await client.get(String(path));
  await client.get("0");
  assert.equal(requests[69]?.tag, null);
});

test("errors are sentences", async () => {
  const cases: [Response, number, RegExp][] = [
    [json({ error: 'range: "2y" is none of live, 5m, 1h, all.' }, { status: 400 }), 400, /^range: "2y"/],
    [new Response("<html>", { status: 502 }), 502, /status 502/],
    [new Response("", { status: 503 }), 503, /busy/],
    [new Response("", { status: 401 }), 401, /refuses/],
    [new Response("<html>", { status: 200 }), 0, /not JSON/],
  ];
  for (const [response, status, sentence] of cases) {
    await assert.rejects(answers(response).client.get("x"), (error) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status, status);
      assert.match(error.message, sentence);
      return true;
    });
  }
  await assert.rejects(answers().client.get("x"), /cannot be reached/);
});

test("a request without an answer ends", async () => {
  // The clock of a deadline does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  const client = new Client(
    "http://host/",
    (_, { signal }) =>
      new Promise((_done, fail) => {
        signal?.addEventListener("abort", () => fail(signal.reason as Error));
      }),
    20,
  );
  await assert.rejects(client.get("x"), /within 0.02 s/);
  clearInterval(alive);
});

test("a cancelled request is no error of the exporter", async () => {
  const cancel = new AbortController();
  const client = new Client(
    "http://host/",
    (_, { signal }) =>
      new Promise((_done, fail) => {
        signal?.addEventListener("abort", () => fail(signal.reason as Error));
      }),
  );
  const answer = client.get("x", cancel.signal);
  cancel.abort();
  await assert.rejects(answer, (error) => !(error instanceof ApiError));
});
