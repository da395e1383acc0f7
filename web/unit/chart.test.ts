import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph, GraphEdge, GraphNode } from "../src/api.ts";
import { Layout, type LayoutInput } from "../src/chart/layout.ts";
import { drawnOf } from "../src/coverage.ts";
import { nameOf } from "../src/chart/canvas.ts";
import { sentenceOf } from "../src/chart/figures.tsx";
import { charted, foldedSentence, withinOther } from "../src/chart/folded.ts";
import { bandsOf } from "../src/chart/sankey.ts";
import { hitAt, neighbour, sceneOf } from "../src/chart/scene.ts";

const node = (id: number, more: Partial<GraphNode> = {}): GraphNode => ({
  id,
  address: `10.0.0.${id}`,
  name: null,
  is_local: true,
  is_other: false,
  hosts: 1,
  bytes: 1000,
  alerts: 0,
  ...more,
});
const edge = (source: number, target: number, bytes = 1000, more: Partial<GraphEdge> = {}): GraphEdge => ({
  source,
  target,
  bytes,
  packets: 1,
  top: [{ protocol: "tcp", port: 443, service: "https", bytes }],
  ...more,
});
const graph = (nodes: GraphNode[], edges: GraphEdge[]): Graph => ({
  range: "live",
  seconds: 60,
  number: 1,
  min_bytes: 0,
  folded: { below_min_bytes: 0, past_nodes: 0 },
  nodes,
  edges,
  left_out: { edges: 0, bytes: 0, packets: 0 },
});

test("the direction of an edge is that of its traffic", () => {
  const nodes = [node(0), node(1), node(2, { is_local: false }), node(3, { is_local: false })];
  const scene = sceneOf(graph(nodes, [edge(0, 1), edge(0, 2), edge(2, 0), edge(2, 3)]));
  assert.deepEqual(
    scene.edges.map(({ direction }) => direction),
    ["local", "outgoing", "incoming", "transit"],
  );
  assert.deepEqual(scene.edgesOf[0], [0, 1, 2]);
});

test("the sum of the other hosts does not make single hosts small", () => {
  const nodes = [
    node(0, { bytes: 100 }),
    node(1, { bytes: 50 }),
    node(2, { address: null, is_other: true, bytes: 1e9 }),
  ];
  const scene = sceneOf(graph(nodes, [edge(0, 1, 100), edge(0, 2, 1e9)]));
  assert.ok((scene.nodes[0]?.radius ?? 0) >= 18);
  assert.ok((scene.edges[0]?.width ?? 0) > 5);
  assert.deepEqual(
    scene.groups.map(({ colour, isOther }) => [colour, isOther]),
    [
      ["local", true],
      ["local", false],
    ],
  );
});

test("edges without their hosts are left out", () => {
  assert.equal(sceneOf(graph([node(0)], [edge(0, 9), edge(9, 0)])).edges.length, 0);
});

test("a host is found before an edge, an edge along its curve, and nothing elsewhere", () => {
  const scene = sceneOf(graph([node(0), node(1)], [edge(0, 1)]));
  const positions = Float32Array.of(100, 100, 300, 100);
  assert.deepEqual(hitAt(scene, positions, 105, 103, 4), { kind: "node", index: 0 });
  assert.deepEqual(hitAt(scene, positions, 200, 107, 4), { kind: "edge", index: 0 });
  assert.equal(hitAt(scene, positions, 200, 160, 4), null);
});

test("arrow keys lead to the next host of their direction", () => {
  const positions = Float32Array.of(0, 0, 100, 10, 50, 200, -80, 0);
  assert.equal(neighbour(positions, 0, 1, 0), 1);
  assert.equal(neighbour(positions, 0, 0, 1), 2);
  assert.equal(neighbour(positions, 0, -1, 0), 3);
  assert.equal(neighbour(positions, 0, 0, -1), 0);
});

const input = (hosts: number, more: Partial<LayoutInput> = {}): LayoutInput => ({
  keys: Array.from({ length: hosts }, (_, index) => `10.0.0.${index}`),
  isLocal: Array.from({ length: hosts }, (_, index) => index % 2 === 0),
  isOther: Array.from({ length: hosts }, () => false),
  radii: Array.from({ length: hosts }, () => 5),
  edges: Array.from({ length: hosts - 1 }, (_, index): [number, number] => [index, index + 1]),
  width: 900,
  height: 400,
  ...more,
});

function settled(layout: Layout): Float32Array {
  for (let step = 0; layout.isMoving; step += 1) {
    assert.ok(step < 1000, "the layout does not settle");
    layout.step();
  }
  return layout.positions();
}

test("local hosts are left and the Internet is right, within the chart", () => {
  const layout = new Layout();
  layout.update(input(80));
  const positions = settled(layout);
  for (let index = 0; index < 80; index += 1) {
    const [x, y] = [positions[index * 2] ?? -1, positions[index * 2 + 1] ?? -1];
    assert.ok(index % 2 === 0 ? x > 0 && x < 450 : x > 450 && x < 900, `${index}: ${x}`);
    assert.ok(y > 0 && y < 400);
  }
});

test("an upright chart has local hosts above and the Internet below", () => {
  const layout = new Layout();
  layout.update(input(40, { width: 360, height: 480 }));
  const positions = settled(layout);
  for (let index = 0; index < 40; index += 1) assert.equal((positions[index * 2 + 1] ?? 0) < 240, index % 2 === 0);
});

test("a side whose hosts are all folded has its other node in the middle, and at the edge once there is a host", () => {
  for (const [width, height] of [
    [900, 400],
    [360, 480],
  ] as const) {
    const others = { keys: ["other local", "other remote"], isLocal: [true, false], radii: [18, 18] };
    const layout = new Layout();
    layout.update({ ...others, isOther: [true, true], edges: [[0, 1]], width, height });
    const middle = width > height ? [width / 4, height / 2, (3 * width) / 4, height / 2] : [];
    const upright = [width / 2, height / 4, width / 2, (3 * height) / 4];
    assert.deepEqual([...layout.positions()], width > height ? middle : upright);
    layout.update({
      ...{ keys: [...others.keys, "10.0.0.1"], isLocal: [true, false, true], isOther: [true, true, false] },
      ...{ radii: [18, 18, 5], edges: [], width, height },
    });
    const positions = [...settled(layout)];
    assert.notDeepEqual(positions.slice(0, 2), (width > height ? middle : upright).slice(0, 2));
    assert.deepEqual(positions.slice(2, 4), (width > height ? middle : upright).slice(2));
  }
});

test("the same hosts are laid out alike, and stay where they are when traffic changes", () => {
  const [first, second] = [new Layout(), new Layout()];
  for (const layout of [first, second]) layout.update(input(50));
  const before = settled(first);
  assert.deepEqual(settled(second), before);
  first.update(input(50, { radii: Array.from({ length: 50 }, () => 9) }));
  assert.equal(first.isMoving, false);
  assert.deepEqual(first.positions(), before);
});

test("the flow view has the largest flows, and says which part of all that is", () => {
  const nodes = Array.from({ length: 60 }, (_, id) => node(id, { is_local: id < 30 }));
  const edges = Array.from({ length: 30 }, (_, id) => edge(id, id + 30, 1000 * (30 - id)));
  const answer = { ...graph(nodes, edges), left_out: { edges: 3, bytes: 500, packets: 5 } };
  const { boxes, bytes } = bandsOf(answer, 900, 450);
  assert.equal(boxes.filter(({ column }) => column === 0).length, 14);
  assert.equal(
    bytes,
    edges.slice(0, 14).reduce((sum, { bytes }) => sum + bytes, 0),
  );
  assert.equal(drawnOf(answer, 70).of, 570 + edges.reduce((sum, { bytes }) => sum + bytes, 0));
  assert.ok(boxes.every(({ y0 = 0, y1 = 0 }) => y0 >= 0 && y1 <= 450));
});

test("both directions of a pair and services that are not named fit the flow view", () => {
  const both = [
    edge(0, 1, 1000, { top: [{ protocol: "icmp", port: null, service: null, bytes: 400 }] }),
    edge(1, 0, 500),
  ];
  const { boxes, bands } = bandsOf(graph([node(0), node(1)], both), 900, 450);
  assert.deepEqual(
    boxes
      .filter(({ column }) => column === 1)
      .map(({ text }) => text)
      .sort(),
    ["https tcp/443", "icmp", "other services"],
  );
  assert.equal(
    bands.reduce((sum, { value }) => sum + value, 0),
    2 * 1500,
  );
});

const other = (id: number, isLocal: boolean, hosts: number, bytes = 1000): GraphNode =>
  node(id, { address: null, name: "other", is_local: isLocal, is_other: true, hosts, bytes });
const folded = (answer: Graph, below: number, past: number): Graph => ({
  ...answer,
  min_bytes: 5_000_000,
  folded: { below_min_bytes: below, past_nodes: past },
});

test("the hosts that are folded are counted, with the limit that folds them", () => {
  const heavy = [node(0, { bytes: 6e6 }), node(1, { bytes: 5e6 })];
  const answer = graph([...heavy, other(2, true, 30)], [edge(0, 1), edge(1, 2)]);
  assert.equal(foldedSentence(graph([node(0), node(1)], [edge(0, 1)])), "");
  assert.equal(charted(answer), 2);
  assert.equal(foldedSentence(folded(answer, 30, 0)), "“Other” stands for 30 hosts below 5.00 MB (ChartMinBytes).");
  assert.equal(foldedSentence(folded(answer, 0, 1)), "“Other” stands for 1 host past the largest 2.");
  assert.equal(
    foldedSentence(folded(answer, 29, 1)),
    "“Other” stands for 29 hosts below 5.00 MB (ChartMinBytes) and 1 host past the largest 2.",
  );
});

test("a chart whose hosts are all folded has other in each view, with its figures", () => {
  const nodes = [other(0, true, 4, 3000), other(1, false, 1, 2500)];
  const answer = folded(graph(nodes, [edge(0, 1, 500), edge(1, 0, 2000)]), 5, 0);
  assert.equal(foldedSentence(answer), "No host has 5.00 MB (ChartMinBytes): “other” stands for all 5 hosts.");
  const scene = sceneOf(answer);
  assert.deepEqual([nameOf(scene, 0), nameOf(scene, 1)], ["4 other local hosts", "1 other host"]);
  assert.equal(
    sentenceOf(scene, 0),
    "4 other local hosts, local, below 5.00 MB (ChartMinBytes), 3.00 kB in all, sent 500 B, received 2.00 kB, 1 peer",
  );
  // Nothing else is there to compare with.
  assert.ok(scene.groups.some(({ width }) => width > 4));
  const { boxes, bytes } = bandsOf(answer, 900, 450);
  assert.deepEqual(boxes.filter(({ column }) => column !== 1).length, 4);
  assert.equal(bytes, 2500);
});

test("an end of small flows that are added up is other without a number", () => {
  const answer = graph([node(0), other(1, false, 0)], [edge(0, 1)]);
  assert.equal(nameOf(sceneOf(answer), 1), "other hosts");
  assert.equal(foldedSentence(answer), "“Other” is an end of small flows that are added up.");
  assert.equal(
    sentenceOf(sceneOf(answer), 1),
    "other hosts, Internet, 1.00 kB in all, sent 0 B, received 1.00 kB, 1 peer",
  );
});

test("traffic within other is said where no edge can show it", () => {
  const answer = { ...folded(graph([other(0, true, 4)], []), 4, 0), left_out: { edges: 1, bytes: 700, packets: 1 } };
  assert.equal(withinOther(answer), "All traffic is within “other”: 700 B.");
  assert.equal(withinOther(graph([node(0), node(1)], [edge(0, 1)])), "");
});

test("the other hosts have a name in the chart, however small", () => {
  const nodes = [...Array.from({ length: 20 }, (_, id) => node(id)), other(20, false, 3, 1)];
  assert.equal(sceneOf(graph(nodes, [])).named[0], 20);
});

test("hosts with firing alerts have the first names in the chart, however small", () => {
  const nodes = [...Array.from({ length: 20 }, (_, id) => node(id)), node(20, { bytes: 1, alerts: 1 })];
  const scene = sceneOf(graph([...nodes, other(21, true, 3, 9000)], []));
  assert.deepEqual(scene.named.slice(0, 2), [20, 21]);
  assert.equal(scene.named.length, 22);
});

test("edges at other have the colour of their direction", () => {
  const nodes = [other(0, true, 4), other(1, false, 4), node(2), node(3, { is_local: false })];
  const scene = sceneOf(graph(nodes, [edge(0, 1), edge(1, 0), edge(2, 3)]));
  const colours = scene.groups.filter(({ isOther }) => isOther).map(({ colour }) => colour);
  assert.deepEqual(colours.sort(), ["incoming", "outgoing"]);
});

test("the foot says why hosts below the limit are drawn", () => {
  const drawn = (bytes: number): string =>
    foldedSentence(folded(graph([node(0, { bytes }), other(1, true, 30)], []), 30, 0));
  assert.match(drawn(4_999_999), /below 5\.00 MB \(ChartMinBytes\); the largest hosts, and those with alerts .* drawn/);
  assert.doesNotMatch(drawn(5_000_000), /drawn/);
});

test("an empty answer draws nothing", () => {
  assert.deepEqual(bandsOf(graph([], []), 900, 450).boxes, []);
  const layout = new Layout();
  layout.update(input(0, { edges: [] }));
  assert.equal(settled(layout).length, 0);
});
