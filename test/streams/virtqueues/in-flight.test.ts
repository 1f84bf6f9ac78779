import { describe, expect, it } from "vitest";
import { type SplitHistory, splitInFlight } from "../../../src/streams/index.js";

/** A driver and a device that gives back in any order: what is in flight is known here all along. */
class Traffic {
  private readonly size: number;
  private readonly available: number[];
  private readonly used: number[];
  private readonly free: number[];
  private availableIndex: number;
  private taken: number;
  private usedIndex: number;
  /** Taken and not given back, the oldest first. */
  readonly held: number[] = [];

  /** `start`: where all indices begin, as after so many buffers. */
  constructor(size: number, start: number) {
    this.size = size;
    this.available = new Array<number>(size).fill(0);
    this.used = new Array<number>(size).fill(0);
    this.free = Array.from({ length: size }, (_, head) => head);
    this.availableIndex = start;
    this.taken = start;
    this.usedIndex = start;
  }

  /** `choice`: from 0 up to 1. */
  offer(choice: number): void {
    const [head] = this.free.splice(Math.floor(choice * this.free.length), 1);
    if (head !== undefined) this.available[this.availableIndex++ % this.size] = head;
  }

  take(): void {
    if (this.taken < this.availableIndex) this.held.push(this.available[this.taken++ % this.size] ?? -1);
  }

  give(choice: number): void {
    const [head] = this.held.splice(Math.floor(choice * this.held.length), 1);
    if (head === undefined) return;
    this.used[this.usedIndex++ % this.size] = head;
    this.free.unshift(head);
  }

  /** Heads whose taking still stands in the available ring. */
  get visible(): number[] {
    const first = Math.max(0, this.availableIndex - this.size);
    const places = Array.from({ length: this.taken - first }, (_, i) => (first + i) % this.size);
    const heads = new Set(places.map((place) => this.available[place]));
    return this.held.filter((head) => heads.has(head));
  }

  get history(): SplitHistory {
    const { size, available, used, availableIndex, taken, usedIndex } = this;
    return {
      size,
      available,
      used,
      availableIndex: availableIndex & 0xffff,
      taken: taken & 0xffff,
      usedIndex: usedIndex & 0xffff,
    };
  }
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `order`: how far from the oldest what is given back may be; 0 is in order. */
function run(size: number, start: number, steps: number, seed: number, order: number): Traffic {
  const random = randomFrom(seed);
  const traffic = new Traffic(size, start);
  for (let i = 0; i < steps; i++) {
    const kind = random();
    if (kind < 0.4) traffic.offer(random() < 0.8 ? 0 : random());
    else if (kind < 0.7) traffic.take();
    else traffic.give(random() * order);
  }
  return traffic;
}

const CASES = [4, 16, 64].flatMap((size) =>
  [1, 10, 50, 400, 5000].flatMap((steps) => [1, 2, 3, 4, 5, 6].map((seed) => [size, steps, seed] as const)),
);

describe("buffers in flight", () => {
  it.each([
    ["in any order", 1, 0],
    ["in any order, where indices wrap", 1, 0xfff0],
    ["nearly in order", 0.3, 0],
    ["in order, where indices wrap", 0, 0xfff0],
  ])("are never said to be certain when they are not: given back %s", (_, order, start) => {
    let certain = 0;
    for (const [size, steps, seed] of CASES) {
      const traffic = run(size, start, steps, seed, order);
      const found = splitInFlight(traffic.history);
      const held = traffic.held;
      expect(found?.count).toBe(held.length);
      if (found?.isCertain) {
        certain++;
        expect(found.heads).toEqual(held);
      } else {
        expect(found?.candidates).toEqual(expect.arrayContaining(traffic.visible));
      }
    }
    expect(certain).toBeGreaterThan(CASES.length / 4);
  });

  it("are certain as long as the rings hold all that ever was", () => {
    for (const seed of [1, 2, 3, 4]) {
      const traffic = run(256, 0, 250, seed, 1);
      expect(splitInFlight(traffic.history)).toMatchObject({ isCertain: true, heads: traffic.held });
    }
  });

  it.each([
    ["the driver is behind the device", { availableIndex: 9, taken: 10, usedIndex: 10 }],
    ["more is available than the ring holds", { availableIndex: 15, taken: 10, usedIndex: 10 }],
    ["more is in flight than the ring holds", { availableIndex: 10, taken: 10, usedIndex: 5 }],
    ["the used index is ahead of the device", { availableIndex: 10, taken: 10, usedIndex: 11 }],
  ])("cannot be told where %s", (_, indices) => {
    const ring = [0, 1, 2, 3];
    expect(splitInFlight({ size: 4, available: ring, used: ring, ...indices })).toBeUndefined();
  });
});
