/** What a back-end leaves behind when it dies, at any step, is finished by the next one: every buffer once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { encodeVirtioBlkOuthdr, VirtioBlkType } from "../../../generated/virtio/blk.js";
import {
  type DescriptorChain,
  GuestMemory,
  QUEUE_START,
  SplitDriverQueue,
} from "../../../src/device/index.js";
import { DirtyLog } from "../../../src/streams/index.js";
import { InflightRegion, inflightSize } from "../../../src/vhost-user/backend/inflight.js";
import { Vring } from "../../../src/vhost-user/backend/vring.js";
import { Connection } from "../../../src/vhost-user/frontend/connection.js";
import { Requests } from "../../../src/vhost-user/frontend/requester.js";
import { Ring } from "../../../src/vhost-user/frontend/ring.js";
import { type Descriptor, openSystem, SharedMemory, type System } from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";
import { describeHere } from "../here.js";

const SIZE = 16;
const PLACE = { size: SIZE, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 };

class Death extends Error {}

/** Every write to guest memory is a step, and one of them is the last. */
class LastLog extends DirtyLog {
  private left: number;

  constructor(left: number) {
    super(new Uint8Array(64));
    this.left = left;
  }

  override mark(): void {
    if (this.left-- === 0) throw new Death();
  }
}

/** One life of a back-end, on rings and a region that are still there. Ends by itself after some steps. */
class Life {
  private readonly vring = new Vring(0, SIZE);
  private readonly taken: DescriptorChain[];

  constructor(memory: GuestMemory, region: Uint8Array, steps: number) {
    this.vring.addresses = {
      index: 0,
      flags: 1,
      descUserAddr: BigInt(PLACE.descriptorArea),
      usedUserAddr: BigInt(PLACE.deviceArea),
      availUserAddr: BigInt(PLACE.driverArea),
      logGuestAddr: BigInt(PLACE.deviceArea),
    };
    this.vring.inflight = new InflightRegion(region, 1, SIZE).queue(0);
    const surroundings = { packed: false, eventIdx: false, indirect: false, onMissed: () => {} };
    const table = { guestAddressOf: (address: bigint) => address };
    this.taken = this.vring.open({ ...surroundings, table, memory, log: new LastLog(steps) });
  }

  take(): void {
    const chain = this.vring.take();
    if (chain !== undefined) this.taken.push(chain);
  }

  /** Finishes one of those that it has, in any order. */
  give(which: number): void {
    const [chain] = this.taken.splice(which % Math.max(1, this.taken.length), 1);
    if (chain !== undefined) this.vring.give(chain, false);
  }

  get holds(): number {
    return this.taken.length;
  }
}

describe("the inflight region", () => {
  it("lets the next back-end finish each buffer once, wherever the one before it dies", () => {
    const steps = fc.array(
      fc.record({ act: fc.constantFrom("add", "take", "give"), which: fc.nat(15), dies: fc.nat(40) }),
      {
        minLength: 1,
        maxLength: 120,
      },
    );
    fc.assert(
      fc.property(steps, (script) => {
        const memory = GuestMemory.of(0x10000);
        const region = new Uint8Array(inflightSize(1, SIZE));
        const driver = new SplitDriverQueue(memory, PLACE);
        const out = new Set<number>();
        const collect = (): void => {
          for (let used = driver.poll(); used !== undefined; used = driver.poll()) {
            // A buffer that came back twice is not out.
            expect(out.delete(used.id)).toBe(true);
          }
        };
        let life = new Life(memory, region, 1000);
        for (const { act, which, dies } of script) {
          if (act === "add") {
            const id = driver.add({ readable: [{ address: 0x4000, length: 8 }], writable: [] });
            if (id !== undefined) out.add(id);
          }
          try {
            if (act === "take") life.take();
            if (act === "give") life.give(which);
          } catch (error) {
            expect(error).toBeInstanceOf(Death);
            life = new Life(memory, region, 1000);
          }
          if (dies < 8) life = new Life(memory, region, dies);
          collect();
        }
        life = new Life(memory, region, 1000);
        for (let i = 0; i < SIZE; i++) life.take();
        while (life.holds > 0) life.give(0);
        collect();
        expect(out.size).toBe(0);
      }),
      { numRuns: 300 },
    );
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
    const mmapSize = BigInt(inflightSize(1, RING.size));
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
