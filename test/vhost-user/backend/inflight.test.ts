/** What a back-end leaves behind when it dies, at any step, is finished by the next one: every buffer once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { encodeVirtioBlkOuthdr, VirtioBlkType } from "../../../generated/virtio/blk.js";
import {
  type DescriptorChain,
  GuestMemory,
  PackedDriverQueue,
  QUEUE_START,
  SplitDriverQueue,
} from "../../../src/device/index.js";
import { InflightRegion, inflightSize } from "../../../src/vhost-user/backend/inflight/region.js";
import { Vring } from "../../../src/vhost-user/backend/vring.js";
import { Connection } from "../../../src/vhost-user/frontend/connection.js";
import { Requests } from "../../../src/vhost-user/frontend/requester.js";
import { Ring } from "../../../src/vhost-user/frontend/ring.js";
import { type Descriptor, openSystem, SharedMemory, type System } from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";
import { seed } from "../../properties/drawn.js";
import { describeHere } from "../here.js";

const SIZE = 16;
const PLACE = { size: SIZE, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 };

class Death extends Error {}

/** Writes that a back-end still makes: each of its own is a step, to guest memory and to the region. */
let left = Number.POSITIVE_INFINITY;

function step(): void {
  if (left-- <= 0) throw new Death();
}

/** What a back-end does within so many steps; the one behind them is never made. */
function within<T>(steps: number, act: () => T): T {
  left = steps;
  try {
    return act();
  } finally {
    left = Number.POSITIVE_INFINITY;
  }
}

function watchWrites(): void {
  for (const name of ["setUint8", "setUint16", "setUint32", "setBigUint64"] as const) {
    const original: (at: number, value: never, little?: boolean) => void = DataView.prototype[name];
    vi.spyOn(DataView.prototype, name).mockImplementation(function (
      this: DataView,
      at: number,
      value: number | bigint,
      little?: boolean,
    ) {
      step();
      original.call(this, at, value as never, little);
    });
  }
  const store = Atomics.store;
  vi.spyOn(Atomics, "store").mockImplementation(((words: Uint16Array, at: number, value: number) => {
    step();
    return store(words, at, value);
  }) as typeof Atomics.store);
}

interface Kind {
  readonly packed: boolean;
  readonly indirect: boolean;
}

/** One life of a back-end, on rings and a region that are still there. */
class Life {
  private readonly vring = new Vring(0, SIZE);
  private readonly taken: DescriptorChain[];

  constructor(memory: GuestMemory, region: Uint8Array, { packed, indirect }: Kind) {
    this.vring.addresses = {
      index: 0,
      flags: 0,
      descUserAddr: BigInt(PLACE.descriptorArea),
      usedUserAddr: BigInt(PLACE.deviceArea),
      availUserAddr: BigInt(PLACE.driverArea),
      logGuestAddr: 0n,
    };
    this.vring.inflight = new InflightRegion(region, 1, SIZE, packed).queue(0);
    const surroundings = { packed, eventIdx: false, indirect, onMissed: () => {} };
    const table = { guestAddressOf: (address: bigint) => address };
    this.taken = this.vring.open({ ...surroundings, table, memory, log: undefined });
  }

  take(): void {
    const chain = this.vring.take();
    if (chain !== undefined) this.taken.push(chain);
  }

  /** Finishes one of those that it has, in any order. Gives what the driver has written into it. */
  give(which: number): number | undefined {
    const [chain] = this.taken.splice(which % Math.max(1, this.taken.length), 1);
    const said = chain?.read(0, 1)[0];
    if (chain !== undefined) this.vring.give(chain, false);
    return said;
  }

  get holds(): number {
    return this.taken.length;
  }
}

const script = fc.array(
  fc.record({
    act: fc.constantFrom("add", "add", "take", "take", "give"),
    which: fc.nat(15),
    parts: fc.integer({ min: 1, max: 4 }),
    dies: fc.oneof(fc.nat(3), fc.nat(14), fc.constant(1000)),
  }),
  { minLength: 1, maxLength: 120 },
);
const TABLES = 0x8000;

describe.each<[string, Kind]>([
  ["split virtqueues", { packed: false, indirect: false }],
  ["split virtqueues with indirect tables", { packed: false, indirect: true }],
  ["packed virtqueues", { packed: true, indirect: false }],
  ["packed virtqueues with indirect tables", { packed: true, indirect: true }],
])("the inflight region of %s", (_, kind) => {
  it("lets the next back-end finish each buffer once, whatever the one before it writes last", () => {
    watchWrites();
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    let deaths = 0;
    fc.assert(
      fc.property(script, (steps) => {
        const memory = GuestMemory.of(0x10000);
        const region = new Uint8Array(inflightSize(1, SIZE, kind.packed));
        const driver = kind.packed
          ? new PackedDriverQueue(memory, PLACE, kind)
          : new SplitDriverQueue(memory, PLACE, kind);
        /** What each buffer says, by id. */
        const out = new Map<number, number>();
        let said = 0;
        const add = (parts: number, which: number): void => {
          // Each buffer has memory of its own, and says so: one that is served for another shows.
          const mark = ++said & 0xff;
          const at = 0x4000 + mark * 0x20;
          memory.write(at, Uint8Array.of(mark));
          const readable = Array.from({ length: parts }, (_, i) => ({ address: at + i, length: 1 }));
          const buffer = { readable, writable: [] };
          const id =
            kind.indirect && which % 2 === 0
              ? driver.addIndirect(buffer, TABLES + mark * 0x40)
              : driver.add(buffer);
          if (id !== undefined) out.set(id, mark);
        };
        const collect = (): void => {
          for (let used = driver.poll(); used !== undefined; used = driver.poll()) {
            // A buffer that came back twice is not out.
            expect(out.delete(used.id)).toBe(true);
          }
        };
        const isOut = (mark: number | undefined): void => {
          if (mark !== undefined) expect([...out.values()]).toContain(mark);
        };
        let life = new Life(memory, region, kind);
        const doing = (dies: number, act: () => void): void => {
          try {
            within(dies, act);
          } catch (error) {
            expect(error).toBeInstanceOf(Death);
            deaths++;
            // Successors die young, too.
            doing(dies + 3, () => {
              life = new Life(memory, region, kind);
            });
          }
        };
        for (const { act, which, parts, dies } of steps) {
          if (act === "add") add(parts, which);
          if (act === "take") doing(dies, () => life.take());
          if (act === "give") doing(dies, () => isOut(life.give(which)));
          collect();
        }
        life = new Life(memory, region, kind);
        for (let i = 0; i < SIZE; i++) life.take();
        while (life.holds > 0) isOut(life.give(0));
        collect();
        expect(out.size).toBe(0);
      }),
      { seed, numRuns: 300 },
    );
    expect(deaths).toBeGreaterThan(100);
  });
});

describe("the inflight region of a packed virtqueue", () => {
  /** One that a front-end has written to: what a back-end has left there, with some of it changed. */
  function left(change: (bytes: Uint8Array) => void): () => Life {
    const kind = { packed: true, indirect: false };
    const memory = GuestMemory.of(0x10000);
    const region = new Uint8Array(inflightSize(1, SIZE, true));
    const driver = new PackedDriverQueue(memory, PLACE);
    const life = new Life(memory, region, kind);
    for (let i = 0; i < 3; i++) {
      driver.add({ readable: [{ address: 0x4000, length: 1 }], writable: [{ address: 0x4001, length: 1 }] });
      life.take();
    }
    change(region);
    return () => new Life(memory, region, kind);
  }

  // QueueRegionPacked by hand: version at 8, desc_num 10, free_head 12, old_free_head 14, used_idx 16, old_used_idx 18;
  // 32 bytes each from 32 on: inflight at 0, next 2, last 4, num 6, counter 8, id 16, flags 18.
  it.each<[string, readonly (readonly [at: number, value: number])[], string]>([
    ["another version", [[8, 2]], "version 2"],
    ["another size", [[10, 8]], "for 8 descriptors"],
    ["a free list behind the end", [[14, 99]], "points behind"],
    ["a place behind the end", [[18, SIZE]], "points behind"],
    [
      "a free list that goes in circles",
      [
        [14, 6],
        [32 + 7 * 32 + 2, 6],
      ],
      "in circles",
    ],
    ["a buffer that is never over", [[32 + 6, 255]], "share entries"],
    [
      "two buffers with the same entries",
      [
        [32 + 2 * 32, 1],
        [32 + 2 * 32 + 6, 2],
        [32 + 2 * 32 + 2, 1],
      ],
      "share entries",
    ],
    [
      "a buffer for the device to read behind one to write",
      [
        [32 + 18, 2],
        [32 + 32 + 18, 0],
      ],
      "to read behind",
    ],
    [
      "two buffers of one id",
      [
        [32 + 32 + 16, 2],
        [32 + 96 + 16, 2],
      ],
      "twice",
    ],
  ])("is refused with %s", (_, changes, message) => {
    const open = left((bytes) => {
      for (const [at, value] of changes) bytes[at] = value;
    });
    expect(open).toThrow(message);
  });

  it("is taken when nobody has changed it", () => {
    expect(left(() => {})().holds).toBe(3);
  });

  it("is not that of a split one", () => {
    const memory = GuestMemory.of(0x10000);
    const region = new Uint8Array(inflightSize(1, SIZE, true));
    const vring = new Vring(0, SIZE);
    const surroundings = { table: { guestAddressOf: (at: bigint) => at }, memory, log: undefined };
    const rest = { eventIdx: false, indirect: false, onMissed: () => {} };
    const areas = { descUserAddr: 0x1000n, availUserAddr: 0x2000n, usedUserAddr: 0x3000n };
    vring.addresses = { index: 0, flags: 0, ...areas, logGuestAddr: 0n };
    for (const packed of [true, false]) {
      vring.inflight = new InflightRegion(region, 1, SIZE, !packed).queue(0);
      expect(() => vring.open({ ...surroundings, ...rest, packed })).toThrow("an inflight region of");
    }
  });
});

describeHere("a back-end that is killed", () => {
  it("is followed by one that finishes its requests, each once", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    const path = join(folder, "s");
    writeFileSync(image, new Uint8Array(1 << 20));
    const system = await openSystem();
    onTestFinished(() => system.close());
    const guest = new Guest(system);
    let inflight: Descriptor | undefined;
    const WRITES = 120;
    for (let life = 0; life < 4; life++) {
      const child = await backEnd(path, image);
      inflight = await guest.attach(path, inflight);
      const until = life === 3 ? WRITES : (life + 1) * 25;
      while (guest.done < until) {
        guest.write(WRITES);
        await guest.called();
        guest.collect();
      }
      if (life < 3) expect(guest.waiting).toBeGreaterThan(0);
      child.kill("SIGKILL");
      await once(child, "exit");
      guest.detach();
    }
    expect(guest.done).toBe(WRITES);
    const disk = readFileSync(image);
    // Each request had a sector of its own.
    expect(Array.from({ length: WRITES }, (_, i) => disk[i * SECTOR])).toEqual(
      Array.from({ length: WRITES }, (_, i) => 1 + i),
    );
    // Four processes are started, one after the other.
  }, 120_000);
});

const SECTOR = 512;
/** For a request: header, data and status. */
const SLOT = 1024;
const RING = { size: 64, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 };
const SLOTS_AT = 0x10000;
const { VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD } = VhostUserProtocolFeature;
const PROTOCOL_FEATURES = VHOST_USER_PROTOCOL_F_REPLY_ACK | VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD;
/** VERSION_1 and F_PROTOCOL_FEATURES. */
const FEATURES = (1n << 32n) | (1n << 30n);

/** A guest whose memory and virtqueue outlive its back-ends. */
class Guest {
  done = 0;
  private sent = 0;
  private readonly system: System;
  private readonly memory: SharedMemory;
  private readonly queue: SplitDriverQueue;
  private readonly slots = new Map<number, number>();
  private connection: Connection | undefined;
  private ring: Ring | undefined;

  constructor(system: System) {
    this.system = system;
    this.memory = new SharedMemory(system, [{ guestAddress: 0, length: 1 << 20 }]);
    this.queue = new SplitDriverQueue(this.memory.guest, RING);
  }

  get waiting(): number {
    return this.slots.size;
  }

  /** Gives the memory of the requests in flight, which the first back-end makes. */
  async attach(path: string, known: Descriptor | undefined): Promise<Descriptor | undefined> {
    const connection = new Connection(this.system.connect(path));
    const requests = new Requests(connection);
    this.connection = connection;
    await requests.tell({
      case: "vhostUserSetProtocolFeatures",
      value: { protocolFeatures: PROTOCOL_FEATURES },
    });
    connection.agreed = { features: FEATURES, protocolFeatures: PROTOCOL_FEATURES };
    await requests.tell({ case: "vhostUserSetFeatures", value: { features: FEATURES } });
    const regions = [...this.memory.regions];
    await requests.tell({ case: "vhostUserSetMemTable", value: { regions } }, [this.memory.descriptor]);
    const tail = { case: "padding", value: new Uint8Array(4) } as const;
    const mmapSize = BigInt(inflightSize(1, RING.size, false));
    const value = { mmapSize, mmapOffset: 0n, numQueues: 1, queueSize: RING.size, tail };
    const [, made] =
      known === undefined ? await requests.askForDescriptors({ case: "vhostUserGetInflightFd", value }) : [];
    const inflight = known ?? made?.[0];
    if (inflight !== undefined) await requests.tell({ case: "vhostUserSetInflightFd", value }, [inflight]);
    this.ring = new Ring(this.system, requests, 0, RING, false);
    await this.ring.start(QUEUE_START, false);
    await this.ring.enable(true);
    this.ring.kick.signal();
    return inflight;
  }

  detach(): void {
    this.connection?.close();
    this.ring?.close();
  }

  /** As many writes as there is room for, up to a number of them altogether. */
  write(most: number): void {
    while (this.sent < most && this.slots.size < 20) {
      const at = SLOTS_AT + this.sent * SLOT;
      const head = encodeVirtioBlkOuthdr({ type: VirtioBlkType.VIRTIO_BLK_T_OUT, sector: BigInt(this.sent) });
      this.memory.guest.write(at, head);
      this.memory.guest.write(at + head.length, new Uint8Array(SECTOR).fill(1 + this.sent));
      this.memory.guest.write(at + SLOT - 1, Uint8Array.of(0xff));
      const id = this.queue.add({
        readable: [{ address: at, length: head.length + SECTOR }],
        writable: [{ address: at + SLOT - 1, length: 1 }],
      });
      if (id === undefined) return;
      this.slots.set(id, at);
      this.sent++;
      this.ring?.kick.signal();
    }
  }

  async called(): Promise<void> {
    await this.ring?.call.ready("readable");
    this.ring?.call.clear();
  }

  collect(): void {
    for (let used = this.queue.poll(); used !== undefined; used = this.queue.poll()) {
      const at = this.slots.get(used.id);
      if (at === undefined) throw new Error(`buffer ${used.id} came back twice`);
      expect(this.memory.guest.read(at + SLOT - 1, 1)[0]).toBe(0);
      this.slots.delete(used.id);
      this.done++;
    }
  }
}

async function backEnd(path: string, image: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL("slow-disk.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program, path, image], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}
