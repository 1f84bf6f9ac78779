/**
 * A guest at work while its device moves between two hosts, in any interleaving: every request is answered once and
 * rightly, the disk is what the guest has written, every page that a device has written is recorded, and what was
 * given up leaves no trace.
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtioAdminGroupType } from "../../generated/virtio/admin.js";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../src/device/drivers/device-parts-driver.js";
import { DraftV2Driver } from "../../src/device/drivers/draft-v2-driver.js";
import { receiveGuest } from "../../src/device/migration/destination.js";
import { ObservedLog } from "../../src/device/migration/dirty-log.js";
import { MigrationError } from "../../src/device/migration/migration-error.js";
import { withFewPages } from "../../src/device/migration/progress.js";
import { sendGuest } from "../../src/device/migration/source.js";
import type { CommandProfile } from "../../src/device/owner/command.js";
import { DraftV2Profile } from "../../src/device/owner/draft-v2.js";
import { Virtio14Profile } from "../../src/device/owner/virtio-1-4.js";
import { seed } from "../properties/drawn.js";
import { channelPair } from "./migration/channels.js";
import { type Way, ways } from "./migration/hosts.js";
import {
  attachGuest,
  GUEST_SIZE,
  guestOn,
  type Host,
  host,
  MEMBER,
  moveGuest,
  SECTORS,
} from "./owner/bench.js";

/** Of each of the six cases. `npm run test:model` runs 10,000 of them in all. */
const RUNS = Number(process.env["VIRTWIRE_RUNS"] ?? 60);
const TIMEOUT = 30_000 + RUNS * 300;
const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;
const IN_ORDER = 1n << 35n;
const PAGE = 4096;
const EVERYTHING = { address: 0, length: GUEST_SIZE };

type Step =
  | { readonly act: "write" | "read"; readonly sector: number }
  | { readonly act: "work"; readonly budget: number }
  | { readonly act: "poll" }
  /** The guest waits for its requests, and sets its device up anew. */
  | { readonly act: "reset" }
  | { readonly act: "stop" | "freeze" | "activate" }
  /** Reads part of a context, then gives it up. */
  | { readonly act: "abort"; readonly bytes: number }
  /** Writes part of a context to the other host, then gives it up. */
  | { readonly act: "abort-there"; readonly bytes: number }
  | { readonly act: "move"; readonly piece: number }
  | { readonly act: "records" }
  | Orchestrated;

/** What the guest does while it moves, one after each write to the connection. */
type GuestStep = Extract<Step, { readonly act: "write" | "read" | "work" | "poll" | "reset" }>;

/** A migration over a connection, by both sides' orchestrators. */
interface Orchestrated {
  readonly act: "orchestrate";
  /** The connection cuts what is written into pieces of so many bytes. */
  readonly piece: number;
  readonly way: number;
  readonly during: readonly GuestStep[];
  /** Who gives up, and before which write; "nobody" for a migration that succeeds. */
  readonly spoils: "nobody" | "source" | "destination" | "line";
  readonly at: number;
}

const request = fc.record({
  act: fc.constantFrom("write" as const, "read" as const),
  sector: fc.nat(SECTORS - 1),
});
const work = fc.record({ act: fc.constant("work" as const), budget: fc.integer({ min: 1, max: 6 }) });
const poll = fc.record({ act: fc.constant("poll" as const) });
const reset = fc.record({ act: fc.constant("reset" as const) });

const orchestrated: fc.Arbitrary<Orchestrated> = fc.record({
  act: fc.constant("orchestrate" as const),
  piece: fc.integer({ min: 20, max: 70_000 }),
  way: fc.nat(1),
  during: fc.array(fc.oneof(request, work, poll, reset), { maxLength: 30 }),
  spoils: fc.constantFrom("nobody", "nobody", "source", "destination", "line"),
  at: fc.nat(30),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: request },
  { weight: 3, arbitrary: work },
  { weight: 2, arbitrary: poll },
  { weight: 1, arbitrary: reset },
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
  { weight: 1, arbitrary: orchestrated },
);

/** How a device moves: with one set of administration commands. */
interface Carrier {
  readonly profile: () => CommandProfile;
  /** The group types whose commands are used, besides the members'. */
  readonly prepare: (host: Host) => void;
  readonly setMode: (host: Host, mode: "active" | "stop" | "freeze") => void;
  /** Reads some of the state, and gives it up. */
  readonly abort: (from: Host, bytes: number) => void;
  /** Writes some of the state to the other host, and gives it up. */
  readonly abortThere: (from: Host, to: Host, bytes: number) => void;
  /** Stops the source and hands its state to the destination, which is not active yet. */
  readonly move: (from: Host, to: Host, piece: number) => void;
  readonly records: boolean;
  /** Through the orchestrator. */
  readonly ways: readonly Way[];
}

const draft = (one: Host): DraftV2Driver => new DraftV2Driver(one.admin, MEMBER);

function contextOf(one: Host, piece: number): Uint8Array {
  return Uint8Array.from([...draft(one).readContext(piece)].flatMap((bytes) => [...bytes]));
}

const deviceContext: Carrier = {
  profile: () => new DraftV2Profile(),
  prepare: () => {},
  setMode: (one, mode) => draft(one).setMode(mode),
  abort: (from, bytes) => {
    for (const _ of draft(from).readContext(bytes)) break;
    draft(from).discard();
  },
  abortThere: (from, to, bytes) => {
    const context = contextOf(from, 64);
    draft(from).discard();
    draft(to).setMode("freeze");
    draft(to).writeContext(context.subarray(0, Math.min(bytes * 8, context.length - 8)));
    draft(to).discard();
    draft(to).setMode("active");
  },
  move: (from, to, piece) => {
    const context = contextOf(from, piece);
    draft(to).setMode("freeze");
    draft(to).writeContext(context, piece);
  },
  records: true,
  ways: [wayBy("the draft series' device context")],
};

const deviceParts: Carrier = {
  profile: () => new Virtio14Profile(),
  prepare: (one) => {
    one.admin.useAll(VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SELF);
    enableDeviceParts(one.admin);
  },
  setMode: (one, mode) => {
    const driver = parts(one);
    if (mode === "active") driver.resume();
    else driver.stop();
  },
  abort: (from) => {
    const driver = parts(from);
    driver.getParts();
    driver.close();
  },
  abortThere: (from, to) => {
    const driver = parts(to);
    driver.stop();
    const source = parts(from);
    driver.setParts(source.getParts());
    source.close();
    driver.close();
    to.member.reset();
    driver.resume();
  },
  move: (from, to) => {
    const source = parts(from);
    const target = parts(to);
    target.stop();
    target.setParts(source.getParts());
    source.close();
    target.close();
  },
  records: false,
  ways: [wayBy("the device parts of virtio 1.4"), wayBy("a VFIO device")],
};

function parts(one: Host): DevicePartsDriver {
  return new DevicePartsDriver(one.admin, MEMBER, new ObjectIds());
}

interface Sent {
  readonly sector: number;
  /** What a read must bring; undefined for a write. */
  readonly expected: number | undefined;
}

function wayBy(name: keyof typeof ways): Way {
  return ways[name] as Way;
}

class World {
  private readonly carrier: Carrier;
  private here: Host;
  private there: Host;
  private readonly without: bigint;
  private guest: ReturnType<typeof guestOn>;
  /** Storage that both hosts reach. */
  private readonly disk = new Uint8Array(SECTORS * 512);
  private readonly model = new Uint8Array(SECTORS);
  private readonly sent = new Map<number, Sent>();
  private readonly busy = new Set<number>();
  private serial = 0;
  /** The processors run: not while the guest stands still, and not when nobody knows where it is. */
  private running = true;
  /** What the guest's memory was when records were last taken, with the pages that the driver has written since. */
  private shadow: Uint8Array;
  private readonly dirtyByDriver = new Set<number>();

  constructor(carrier: Carrier, without: bigint, depth: number) {
    this.carrier = carrier;
    this.without = without;
    const options = { disk: this.disk, depth, queueSize: 32, deferred: true };
    this.here = host(carrier.profile(), options);
    this.there = host(carrier.profile(), options);
    for (const one of [this.here, this.there]) carrier.prepare(one);
    this.guest = guestOn(this.here, without);
    this.record();
    this.shadow = this.here.memory.read(0, GUEST_SIZE);
    this.here.memory.observe({ wrote: (address, length) => this.note(address, length) });
    this.there.memory.observe({ wrote: (address, length) => this.note(address, length) });
  }

  async do(next: Step): Promise<void> {
    if (!this.running) return;
    switch (next.act) {
      case "write":
      case "read":
      case "work":
      case "poll":
      case "reset":
        this.guestDoes(next);
        break;
      case "stop":
      case "freeze":
        this.carrier.setMode(this.here, next.act);
        break;
      case "activate":
        this.carrier.setMode(this.here, "active");
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
      case "orchestrate":
        await this.orchestrate(next);
        break;
    }
  }

  drain(): void {
    if (!this.running) return;
    this.carrier.setMode(this.here, "active");
    this.finishRequests();
    for (let sector = 0; sector < SECTORS; sector++) {
      const bytes = this.disk.subarray(sector * 512, sector * 512 + 512);
      expect(bytes.every((byte) => byte === this.model[sector])).toBe(true);
    }
    this.checkRecords();
    expect(this.here.member.status).toBe(0x0f);
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
    const before = this.here.member.save();
    this.carrier.abort(this.here, bytes);
    expect(this.here.member.save()).toEqual(before);
  }

  private abortThere(bytes: number): void {
    const before = this.there.member.save();
    this.carrier.abortThere(this.here, this.there, bytes);
    expect(this.there.member.save()).toEqual(before);
  }

  private move(piece: number): void {
    const { carrier } = this;
    carrier.setMode(this.here, "freeze");
    this.checkRecords();
    if (carrier.records) draft(this.here).stopRecords();
    carrier.move(this.here, this.there, piece);
    this.there.memory.write(0, this.here.memory.read(0, GUEST_SIZE));
    moveGuest(this.guest, this.here, this.there);
    this.leave();
    this.record();
    this.checkpoint();
    carrier.setMode(this.here, "active");
    expect(this.here.member.driverFeatures).toBe(this.guest.driver.features);
  }

  private async orchestrate({ piece, way, during, spoils, at }: Orchestrated): Promise<void> {
    const { carrier, here, there } = this;
    const chosen = carrier.ways[way % carrier.ways.length] as Way;
    // The orchestrator takes over the records.
    this.checkRecords();
    if (carrier.records) draft(here).stopRecords();
    const before = { here: traceOf(here), there: traceOf(there) };
    const spoiler = new AbortController();
    const guestSteps = [...during];
    const [source, destination] = channelPair({
      piece,
      onWrite: (write) => {
        const next = guestSteps.shift();
        if (this.running && next !== undefined) this.guestDoes(next);
        if (write !== at || spoils === "nobody") return;
        if (spoils === "line") throw new Error("the cable is out");
        spoiler.abort();
      },
    });
    let arrived = false;
    const [sent, taken] = await Promise.allSettled([
      sendGuest({
        channel: source,
        memory: here.memory,
        members: [chosen.source(here)],
        processors: {
          writes: new ObservedLog(here.memory),
          stop: () => {
            this.running = false;
          },
          resume: () => {
            this.running = true;
          },
        },
        switchover: withFewPages(3, 4),
        ...(spoils === "source" ? { signal: spoiler.signal } : {}),
      }),
      receiveGuest({
        channel: destination,
        memory: there.memory,
        members: [chosen.destination(there)],
        processors: {
          resume: () => {
            arrived = true;
            expect(this.running).toBe(false);
            this.running = true;
            expect(Buffer.compare(there.memory.read(0, GUEST_SIZE), here.memory.read(0, GUEST_SIZE))).toBe(0);
            expect(there.member.save().queues).toEqual(here.member.save().queues);
            attachGuest(this.guest, there);
          },
        },
        ...(spoils === "destination" ? { signal: spoiler.signal } : {}),
      }),
    ]);
    for (const side of [sent, taken]) if (side.status === "rejected") verifyGivenUp(side.reason);
    if (arrived) this.leave();
    else {
      expect(traceOf(there)).toEqual(before.there);
      // Requests that a device of virtio 1.4 ends when it is stopped, and what the guest does meanwhile, are no traces.
      if (this.running && chosen.keepsRequests && during.length === 0) {
        expect(traceOf(here)).toEqual(before.here);
      }
    }
    if (!this.running) return;
    this.record();
    this.checkpoint();
  }

  /** The guest is there. Where it was is free for another one: device and memory are as new. */
  private leave(): void {
    const { carrier, here, there } = this;
    carrier.setMode(here, "active");
    here.member.reset();
    here.memory.write(0, new Uint8Array(GUEST_SIZE));
    this.here = there;
    this.there = here;
  }

  private guestDoes(next: GuestStep): void {
    if (next.act === "work") this.here.member.run(undefined, next.budget);
    else if (next.act === "poll") this.poll();
    else if (next.act === "reset") this.resetGuest();
    else this.request(next.act, next.sector);
  }

  private resetGuest(): void {
    // A device that stands still takes no reset from its driver, and answers nothing that the driver waits for.
    if (this.here.member.mode !== "active") return;
    this.finishRequests();
    this.guest = guestOn(this.here, this.without);
  }

  private finishRequests(): void {
    for (let i = 0; i < 100 && this.sent.size > 0; i++) {
      this.here.member.run();
      while (this.poll());
    }
    expect([...this.sent.keys()]).toEqual([]);
  }

  private record(): void {
    if (this.carrier.records) draft(this.here).startRecords(PAGE, [EVERYTHING]);
  }

  private note(address: number, length: number): void {
    for (let page = Math.floor(address / PAGE); page * PAGE < address + length; page++)
      this.dirtyByDriver.add(page);
  }

  private checkpoint(): void {
    this.shadow = this.here.memory.read(0, GUEST_SIZE);
    this.dirtyByDriver.clear();
  }

  /** Every page that differs was written by the driver, or is recorded. */
  private checkRecords(): void {
    if (!this.carrier.records) return;
    const recorded = new Set([...draft(this.here).takeRecords(EVERYTHING)].map((address) => address / PAGE));
    const now = this.here.memory.read(0, GUEST_SIZE);
    for (let page = 0; page < GUEST_SIZE / PAGE; page++) {
      const range = [page * PAGE, (page + 1) * PAGE] as const;
      if (Buffer.compare(now.subarray(...range), this.shadow.subarray(...range)) === 0) continue;
      expect(recorded.has(page) || this.dirtyByDriver.has(page)).toBe(true);
    }
    this.checkpoint();
  }
}

/** What is given up leaves all of this as it was. */
function traceOf(one: Host): unknown {
  return {
    state: one.member.save(),
    mode: one.member.mode,
    memory: createHash("sha1").update(one.memory.read(0, GUEST_SIZE)).digest("hex"),
  };
}

function verifyGivenUp(reason: unknown): void {
  if (!(reason instanceof MigrationError)) throw reason;
  expect(["aborted", "peer", "disconnected", "undecided"]).toContain(reason.code);
  expect(reason.leftovers).toEqual([]);
}

describe.each([
  ["the draft series' device context", deviceContext],
  ["the device parts of virtio 1.4", deviceParts],
])("migration with %s", (_, carrier) => {
  it.each([
    ["split rings", PACKED | EVENT_IDX | IN_ORDER],
    ["split rings with event indices", PACKED | IN_ORDER],
    ["split rings in order", PACKED],
  ])(
    "loses and doubles nothing: %s",
    async (_, without) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 5, maxLength: 40 }),
          fc.integer({ min: 1, max: 8 }),
          async (steps, depth) => {
            const world = new World(carrier, without, depth);
            for (const next of steps) await world.do(next);
            world.drain();
          },
        ),
        { seed, numRuns: RUNS },
      );
    },
    TIMEOUT,
  );
});
