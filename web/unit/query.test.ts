import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import { ApiError, type Client } from "../src/api.ts";
import { Query } from "../src/query.ts";

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

function made(every: number, followsHistory = true) {
  const asked: string[] = [];
  const path = signal<string | null>("a");
  const client = {
    answer: (given: string): Promise<unknown> => Promise.resolve(given),
    get(given: string) {
      asked.push(given);
      return this.answer(given);
    },
  };
  const query = new Query<string>(client as unknown as Client, {
    path: () => path.value,
    every: () => every,
    followsHistory,
  });
  return { asked, path, client, query };
}

test("a question is asked at once, and again when its path changes", async () => {
  const { asked, path, query } = made(5000);
  await settled();
  path.value = "b";
  await settled();
  path.value = null;
  assert.deepEqual(asked, ["a", "b"]);
  assert.equal(query.answer.value, "b");
  assert.equal(query.answered.value, "b");
});

test("pages that were opened at different times ask in the same second", async () => {
  const start = Date.now();
  const pages = [made(5000), made(5000)];
  await settled();
  const seconds: number[][] = [[], []];
  for (let second = 1; second <= 30; second += 1) {
    for (const [index, { asked, query }] of pages.entries()) {
      const before = asked.length;
      // One page has its clock 2 s behind.
      if (second > 2 * index) query.tick(start + (second - 2 * index) * 1000, 100 + second);
      await settled();
      if (asked.length > before) seconds[index]?.push(second);
    }
  }
  assert.deepEqual(seconds[0]?.slice(-4), [15, 20, 25, 30]);
  assert.deepEqual(seconds[1]?.slice(-4), [15, 20, 25, 30]);
});

test("nothing is asked while the history stands still", async () => {
  const { asked, query } = made(5000);
  await settled();
  const start = Date.now();
  query.tick(start + 10_000, 7);
  await settled();
  for (let second = 11; second < 60; second += 1) query.tick(start + second * 1000, 7);
  assert.equal(asked.length, 2);
});

test("a file whose history runs fast is not asked about more often", async () => {
  const { asked, query } = made(5000, true);
  await settled();
  const start = Date.now();
  for (let second = 1; second <= 10; second += 1) {
    query.tick(start + second * 1000, second * 3600);
    await settled();
  }
  assert.ok(asked.length <= 5, `${asked.length} requests in 10 s`);
});

test("an error keeps the last answer, and is tried again later", async () => {
  const { asked, client, query } = made(1000, false);
  await settled();
  client.answer = () => Promise.reject(new ApiError(503, "The exporter is too busy to answer."));
  const start = Date.now();
  query.tick(start + 1500, 1);
  await settled();
  assert.equal(query.error.value, "The exporter is too busy to answer.");
  assert.equal(query.answer.value, "a");
  query.tick(start + 3000, 1);
  assert.equal(asked.length, 2);
  client.answer = (given) => Promise.resolve(given);
  query.tick(start + 8000, 1);
  await settled();
  assert.equal(query.error.value, null);
});

test("a failed question makes its answer old, and one that is no longer asked has no error", async () => {
  const { asked, path, client, query } = made(5000);
  await settled();
  assert.equal(query.isOld.value, false);
  client.answer = () => Promise.reject(new ApiError(400, "filter: wrong"));
  path.value = "b";
  await settled();
  assert.equal(query.isOld.value, true);
  path.value = null;
  assert.equal(query.error.value, null);
  assert.equal(query.isOld.value, true);
  client.answer = (given) => Promise.resolve(given);
  path.value = "a";
  await settled();
  assert.equal(query.isOld.value, false);
  assert.deepEqual(asked, ["a", "b"]);
});

test("the last question is asked at once after a wrong one", async () => {
  const { asked, path, client, query } = made(5000);
  await settled();
  client.answer = () => Promise.reject(new ApiError(400, "filter: wrong"));
  path.value = "b";
  await settled();
  client.answer = (given) => Promise.resolve(given);
  path.value = "a";
  await settled();
  assert.equal(query.error.value, null);
  assert.deepEqual(asked, ["a", "b", "a"]);
});

test("an answer that was overtaken is dropped", async () => {
  const { path, client, query } = made(5000);
  let release: (value: string) => void = () => {};
  client.answer = (given) => (given === "slow" ? new Promise((done) => (release = done)) : Promise.resolve(given));
  path.value = "slow";
  path.value = "b";
  await settled();
  release("slow");
  await settled();
  assert.equal(query.answer.value, "b");
});
