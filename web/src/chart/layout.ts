/**
 * Positions of the hosts of the network chart, by forces. It takes hosts, edges and the size of the chart, gives positions, and
 * knows no element of the page: it runs in a worker. Local hosts stay on one side, the Internet on the other.
 */

import {
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
  type SimulationLinkDatum,
  type SimulationNodeDatum,
} from "d3-force";

export interface LayoutInput {
  /** Names of the hosts that last between answers; a host that stays keeps its position. */
  keys: string[];
  isLocal: boolean[];
  /** Stands for many hosts: it stays at the outer edge of its side and moves no other. Alone on its side it is in the middle. */
  isOther: boolean[];
  radii: number[];
  /** Indices of the ends of each edge. */
  edges: [number, number][];
  width: number;
  height: number;
}

interface Body extends SimulationNodeDatum {
  key: string;
  isLocal: boolean;
  isOther: boolean;
  radius: number;
  x: number;
  y: number;
}

/** The forces count as balanced below this. */
const SETTLED = 0.02;
/** Space between a host and the edge of the chart, or the line between the sides. */
const MARGIN = 12;
/** Space for the names of the sides, where they are side by side. */
const HEAD = 14;

/** A number in 0..1 that depends on the name alone, so that a chart looks alike each time. */
function fraction(key: string, salt: number): number {
  let hash = 2_166_136_261 ^ salt;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 16_777_619);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

export class Layout {
  private bodies: Body[] = [];
  private width = 0;
  private height = 0;
  private readonly simulation: Simulation<Body, SimulationLinkDatum<Body>> = forceSimulation<Body>([])
    .stop()
    .alphaDecay(0.03);

  /** True while the hosts still move. */
  get isMoving(): boolean {
    return this.simulation.alpha() >= SETTLED;
  }

  update(input: LayoutInput): void {
    const last = new Map(this.bodies.map((body) => [body.key, body]));
    const isResized = input.width !== this.width || input.height !== this.height;
    const stretchX = this.width > 0 ? input.width / this.width : 1;
    const stretchY = this.height > 0 ? input.height / this.height : 1;
    this.width = input.width;
    this.height = input.height;
    let arrived = 0;
    this.bodies = input.keys.map((key, index) => {
      const isLocal = input.isLocal[index] ?? false;
      const isOther = input.isOther[index] ?? false;
      const radius = input.radii[index] ?? 3;
      const known = last.get(key);
      if (known !== undefined)
        return { ...known, x: known.x * stretchX, y: known.y * stretchY, isLocal, isOther, radius };
      arrived += 1;
      return { key, isLocal, isOther, radius, ...this.start(key, isLocal) };
    });
    this.apply(input.edges);
    this.confine();
    // The smaller the change, the less of the chart moves.
    const share = this.bodies.length === 0 ? 0 : arrived / this.bodies.length;
    const heat = isResized ? 0.5 : arrived === 0 ? 0 : Math.max(0.12, share);
    this.simulation.alpha(Math.max(this.isMoving ? this.simulation.alpha() : 0, heat));
  }

  /** One step of the forces. */
  step(): void {
    this.simulation.tick();
    this.confine();
  }

  /** x and y of each host, one after the other. */
  positions(): Float32Array {
    const positions = new Float32Array(this.bodies.length * 2);
    this.bodies.forEach((body, index) => {
      positions[index * 2] = body.x;
      positions[index * 2 + 1] = body.y;
    });
    return positions;
  }

  private get isUpright(): boolean {
    return this.height > this.width;
  }

  private start(key: string, isLocal: boolean): { x: number; y: number } {
    const along = (isLocal ? 0 : 0.5) + fraction(key, 1) * 0.5;
    const across = fraction(key, 2);
    return this.isUpright
      ? { x: across * this.width, y: along * this.height }
      : { x: along * this.width, y: across * this.height };
  }

  private apply(edges: [number, number][]): void {
    const { width, height, isUpright } = this;
    const side = (body: Body): number => (body.isLocal ? 0.24 : 0.76);
    const links = edges.filter(
      ([source, target]) => this.bodies[source]?.isOther !== true && this.bodies[target]?.isOther !== true,
    );
    const room = Math.sqrt((width * height) / Math.max(1, this.bodies.length));
    this.simulation
      .nodes(this.bodies)
      .force(
        "repel",
        forceManyBody<Body>()
          .strength(-Math.min(90, room * 1.3))
          .distanceMax(room * 4)
          .theta(1.1),
      )
      .force("collide", forceCollide<Body>((body) => body.radius + 2).iterations(1))
      .force(
        "link",
        forceLink<Body, SimulationLinkDatum<Body>>(links.map(([source, target]) => ({ source, target })))
          .distance(room)
          .strength(0.012),
      )
      .force(
        "x",
        forceX<Body>((body) => (isUpright ? width / 2 : width * side(body))).strength(isUpright ? 0.05 : 0.07),
      )
      .force(
        "y",
        forceY<Body>((body) => (isUpright ? height * side(body) : height / 2)).strength(isUpright ? 0.07 : 0.09),
      );
  }

  private pin(body: Body): void {
    if (this.bodies.every(({ isLocal, isOther }) => isOther || isLocal !== body.isLocal)) {
      const along = body.isLocal ? 0.25 : 0.75;
      body.x = this.width * (this.isUpright ? 0.5 : along);
      body.y = this.height * (this.isUpright ? along : 0.5);
      return;
    }
    const margin = body.radius + 3 * MARGIN;
    const end = body.isLocal ? 0 : 1;
    body.x = this.isUpright ? this.width - margin - 4 * MARGIN : end * this.width + (body.isLocal ? margin : -margin);
    body.y = this.isUpright ? end * this.height + (body.isLocal ? margin : -margin) : this.height - margin;
  }

  private confine(): void {
    const between = (value: number, least: number, most: number): number => Math.max(least, Math.min(most, value));
    for (const body of this.bodies) {
      if (body.isOther) this.pin(body);
      const gap = body.radius + MARGIN;
      const length = this.isUpright ? this.height : this.width;
      const [from, to] = body.isLocal ? [gap, length / 2 - gap] : [length / 2 + gap, length - gap];
      if (this.isUpright) {
        body.x = between(body.x, gap, this.width - gap);
        body.y = between(body.y, from, to);
      } else {
        body.x = between(body.x, from, to);
        body.y = between(body.y, gap + HEAD, this.height - gap);
      }
    }
  }
}
