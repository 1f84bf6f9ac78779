/**
 * A guest at work while its device moves between two hosts, in any interleaving: every request is answered once and
 * rightly, the disk is what the guest has written, every page that a device has written is recorded, and what was
 * given up leaves no trace.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DraftV2Driver } from "../../src/device/drivers/draft-v2-driver.js";
import { DraftV2Profile } from "../../src/device/owner/draft-v2.js";
import { seed } from "../properties/drawn.js";
import { GUEST_SIZE, guestOn, type Host, host, MEMBER, moveGuest, SECTORS } from "./owner/bench.js";

const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;
const IN_ORDER = 1n << 35n;
const PAGE = 4096;
const EVERYTHING = { address: 0, length: GUEST_SIZE };

type Step =
  | { readonly act: "write" | "read"; readonly sector: number }
  | { readonly act: "work"; readonly budget: number }
  | { readonly act: "poll" }
  | { readonly act: "stop" | "freeze" | "activate" }
  /** Reads part of a context, then gives it up. */
  | { readonly act: "abort"; readonly bytes: number }
  /** Writes part of a context to the other host, then gives it up. */
  | { readonly act: "abort-there"; readonly bytes: number }
  | { readonly act: "move"; readonly piece: number }
  | { readonly act: "records" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constantFrom("write" as const, "read" as const),
      sector: fc.nat(SECTORS - 1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant("work" as const), budget: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("poll" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constantFrom("stop" as const, "freeze" as const, "activate" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constantFrom("abort" as const, "abort-there" as const),
      bytes: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("move" as const), piece: fc.integer({ min: 1, max: 64 }) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("records" as const) }) },
);

interface Sent {
  readonly sector: number;
  /** What a read must bring; undefined for a write. */
  readonly expected: number | undefined;
}

class World {
  private here: Host;
  private there: Host;
  private readonly guest: ReturnType<typeof guestOn>;
  /** Storage that both hosts reach. */
  private readonly disk = new Uint8Array(SECTORS * 512);
  private readonly model = new Uint8Array(SECTORS);
  private readonly sent = new Map<number, Sent>();
  private readonly busy = new Set<number>();
  private serial = 0;
  /** What the guest's memory was when records were last taken, with the pages that the driver has written since. */
  private shadow: Uint8Array;
  private readonly dirtyByDriver = new Set<number>();

  constructor(without: bigint, depth: number) {
    const options = { disk: this.disk, depth, queueSize: 32, deferred: true };
    this.here = host(new DraftV2Profile(), options);
    this.there = host(new DraftV2Profile(), options);
    this.guest = guestOn(this.here, without);
    this.record();
    this.shadow = this.here.memory.read(0, GUEST_SIZE);
    this.here.memory.observe({ wrote: (address, length) => this.note(address, length) });
    this.there.memory.observe({ wrote: (address, length) => this.note(address, length) });
  }

  do(next: Step): void {
    switch (next.act) {
      case "write":
      case "read":
        this.request(next.act, next.sector);
        break;
      case "work":
        this.here.member.run(undefined, next.budget);
        break;
      case "poll":
        this.poll();
        break;
      case "stop":
      case "freeze":
        this.driver.setMode(next.act);
        break;
      case "activate":
        this.driver.setMode("active");
        break;
      case "abort":
        this.abort(next.bytes);
        break;
      case "abort-there":
        this.abortThere(next.bytes);
        break;
      case "move":
        this.move(next.piece * 8);
        break;
      case "records":
        this.checkRecords();
        break;
    }
  }

  drain(): void {
    this.driver.setMode("active");
    for (let i = 0; i < 100 && this.sent.size > 0; i++) {
      this.here.member.run();
      while (this.poll());
    }
    expect([...this.sent.keys()]).toEqual([]);
    for (let sector = 0; sector < SECTORS; sector++) {
      const bytes = this.disk.subarray(sector * 512, sector * 512 + 512);
      expect(bytes.every((byte) => byte === this.model[sector])).toBe(true);
    }
    this.checkRecords();
    expect(this.here.member.status).toBe(0x0f);
  }

  private get driver(): DraftV2Driver {
    return new DraftV2Driver(this.here.admin, MEMBER);
  }

  private request(act: "write" | "read", sector: number): void {
    // Requests for one sector at the same time have no order.
    if (this.busy.has(sector)) return;
    const value = ++this.serial & 0xff;
    const id =
      act === "write"
        ? this.guest.writeSectors(sector, new Uint8Array(512).fill(value))
        : this.guest.readSectors(sector, 1);
    if (id === undefined) return;
    expect(this.sent.has(id)).toBe(false);
    this.busy.add(sector);
    this.sent.set(id, { sector, expected: act === "read" ? (this.model[sector] as number) : undefined });
    if (act === "write") this.model[sector] = value;
  }

  private poll(): boolean {
    const answer = this.guest.poll();
    if (answer === undefined) return false;
    const sent = this.sent.get(answer.id);
    if (sent === undefined) throw new Error(`request ${answer.id} is answered twice`);
    this.sent.delete(answer.id);
    this.busy.delete(sent.sector);
    expect(answer.status).toBe(0);
    if (sent.expected !== undefined) {
      expect(answer.data.length).toBe(512);
      expect(answer.data.every((byte) => byte === sent.expected)).toBe(true);
    }
    return true;
  }

  private abort(bytes: number): void {
    const { driver } = this;
    const before = this.here.member.save();
    for (const _ of driver.readContext(bytes)) break;
    driver.discard();
    expect(this.here.member.save()).toEqual(before);
  }

  private abortThere(bytes: number): void {
    const other = new DraftV2Driver(this.there.admin, MEMBER);
    const before = this.there.member.save();
    const context = this.context(64);
    this.driver.discard();
    other.setMode("freeze");
    other.writeContext(context.subarray(0, Math.min(bytes * 8, context.length - 8)));
    other.discard();
    other.setMode("active");
    expect(this.there.member.save()).toEqual(before);
  }

  private context(piece: number): Uint8Array {
    return Uint8Array.from([...this.driver.readContext(piece)].flatMap((bytes) => [...bytes]));
  }

  private move(piece: number): void {
    const other = new DraftV2Driver(this.there.admin, MEMBER);
    this.driver.setMode("freeze");
    this.checkRecords();
    this.driver.stopRecords();
    const context = this.context(piece);
    other.setMode("freeze");
    other.writeContext(context, piece);
    this.there.memory.write(0, this.here.memory.read(0, GUEST_SIZE));
    moveGuest(this.guest, this.here, this.there);
    // The source is free for another guest: its device is as new.
    this.here.member.reset();
    new DraftV2Driver(this.here.admin, MEMBER).setMode("active");
    this.here.member.reset();
    [this.here, this.there] = [this.there, this.here];
    this.record();
    this.checkpoint();
    other.setMode("active");
    expect(this.here.member.driverFeatures).toBe(this.guest.driver.features);
  }

  private record(): void {
    this.driver.startRecords(PAGE, [EVERYTHING]);
  }

  private note(address: number, length: number): void {
    for (let page = Math.floor(address / PAGE); page * PAGE < address + length; page++)
      this.dirtyByDriver.add(page);
  }

  /** Where the driver's side of the ring lies, which it writes in place. */
  private get drivenPages(): ReadonlySet<number> {
    const pages = this.guest.driver.queues.flatMap(({ place }) => [place.descriptorArea, place.driverArea]);
    return new Set(pages.map((address) => address / PAGE));
  }

  private checkpoint(): void {
    this.shadow = this.here.memory.read(0, GUEST_SIZE);
    this.dirtyByDriver.clear();
  }

  /** Every page that differs was written by the driver, or is recorded. */
  private checkRecords(): void {
    const recorded = new Set([...this.driver.takeRecords(EVERYTHING)].map((address) => address / PAGE));
    const now = this.here.memory.read(0, GUEST_SIZE);
    for (let page = 0; page < GUEST_SIZE / PAGE; page++) {
      const range = [page * PAGE, (page + 1) * PAGE] as const;
      if (Buffer.compare(now.subarray(...range), this.shadow.subarray(...range)) === 0) continue;
      expect(recorded.has(page) || this.dirtyByDriver.has(page) || this.drivenPages.has(page)).toBe(true);
    }
    this.checkpoint();
  }
}

describe("migration with the draft series' commands", () => {
  it.each([
    ["split rings", PACKED | EVENT_IDX | IN_ORDER],
    ["split rings with event indices", PACKED | IN_ORDER],
    ["split rings in order", PACKED],
  ])("loses and doubles nothing: %s", (_, without) => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        (steps, depth) => {
          const world = new World(without, depth);
          for (const next of steps) world.do(next);
          world.drain();
        },
      ),
      { seed, numRuns: 300 },
    );
  });
});
