/**
 * A guest on the network while its device moves between two hosts, in any interleaving: what it sends is sent once and in
 * order, what it receives is whole and in order, and nothing is lost but frames that waited in the device for buffers.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtioAdminGroupType } from "../../generated/virtio/admin.js";
import type { FramePort, Link } from "../../src/device/devices/link.js";
import { NetDevice } from "../../src/device/devices/net.js";
import { AdminDriver } from "../../src/device/drivers/admin-driver.js";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../src/device/drivers/device-parts-driver.js";
import { DraftV2Driver } from "../../src/device/drivers/draft-v2-driver.js";
import { Allocator } from "../../src/device/guest/allocator.js";
import { type NetBus, NetDriver } from "../../src/device/guest/net-driver.js";
import { CommonConfig } from "../../src/device/member/common-config.js";
import { VirtioDevice } from "../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../src/device/memory/guest-memory.js";
import type { CommandProfile } from "../../src/device/owner/command.js";
import { DraftV2Profile } from "../../src/device/owner/draft-v2.js";
import { OwnerDevice } from "../../src/device/owner/owner-device.js";
import { Virtio14Profile } from "../../src/device/owner/virtio-1-4.js";
import { seed } from "../properties/drawn.js";
import { arp, GUEST_ADDRESS, GUEST_MAC, ping } from "./devices/frames.js";

/** Of each case. `VIRTWIRE_RUNS` sets another number. */
const RUNS = Number(process.env["VIRTWIRE_RUNS"] ?? 60);
const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;
const INDIRECT = 1n << 28n;
const IN_ORDER = 1n << 35n;
const GUEST_ANNOUNCE = 1n << 21n;
const MEMBER = 1;
const GUEST_SIZE = 1 << 18;
const HOST_SIZE = 1 << 16;
const COMMAND_SIZE = 1 << 13;
const BUFFERS = 8;
const NOBODY = new Uint8Array(6);

/** The network at a host: what came out of the device, and the way in. */
class Network implements Link {
  readonly heard: Uint8Array[] = [];
  private port: FramePort | undefined;

  attach(port: FramePort): FramePort {
    this.port = port;
    return { receive: (bytes, length) => this.heard.push(bytes.slice(0, length)) };
  }

  detach(): void {}

  send(frame: Uint8Array): void {
    this.port?.receive(frame.slice(), frame.length);
  }
}

interface Host {
  readonly network: Network;
  readonly memory: GuestMemory;
  readonly type: NetDevice;
  readonly member: VirtioDevice;
  readonly admin: AdminDriver;
  readonly bus: NetBus;
}

function host(profile: CommandProfile, ahead: number): Host {
  const network = new Network();
  const memory = GuestMemory.of(GUEST_SIZE);
  const silent = { queue: () => {}, config: () => {} };
  const type = new NetDevice({ mac: GUEST_MAC, link: network, queueSize: 32, ahead });
  const member = new VirtioDevice(type, memory, silent, { packed: true, deferred: true });
  const hostMemory = GuestMemory.of(HOST_SIZE);
  const owner = new VirtioDevice(
    new OwnerDevice({ members: new Map([[MEMBER, member]]), profile }),
    hostMemory,
    silent,
  );
  const admin = new AdminDriver(
    { common: new CommonConfig(owner), notify: (queue) => owner.notify(queue) },
    hostMemory,
    new Allocator(0x1000, HOST_SIZE),
    COMMAND_SIZE,
  );
  admin.useAll();
  const bus = {
    common: new CommonConfig(member),
    notify: (queue: number) => member.notify(queue),
    deviceConfig: () => type.config(),
  };
  return { network, memory, type, member, admin, bus };
}

interface Carrier {
  readonly profile: () => CommandProfile;
  readonly prepare: (host: Host) => void;
  readonly setActive: (host: Host, active: boolean) => void;
  /** From a host that is stopped; the other is not active yet. */
  readonly move: (from: Host, to: Host) => void;
}

const draft = ({ admin }: Host): DraftV2Driver => new DraftV2Driver(admin, MEMBER);
const parts = ({ admin }: Host): DevicePartsDriver => new DevicePartsDriver(admin, MEMBER, new ObjectIds());

const deviceContext: Carrier = {
  profile: () => new DraftV2Profile(),
  prepare: () => {},
  setActive: (one, active) => draft(one).setMode(active ? "active" : "freeze"),
  move: (from, to) => {
    const context = [...draft(from).readContext(64)].flatMap((bytes) => [...bytes]);
    draft(to).setMode("freeze");
    draft(to).writeContext(Uint8Array.from(context), 64);
  },
};

const deviceParts: Carrier = {
  profile: () => new Virtio14Profile(),
  prepare: ({ admin }) => {
    admin.useAll(VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SELF);
    enableDeviceParts(admin);
  },
  setActive: (one, active) => {
    const driver = parts(one);
    if (active) driver.resume();
    else driver.stop();
  },
  move: (from, to) => {
    const [source, target] = [parts(from), parts(to)];
    target.stop();
    target.setParts(source.getParts());
    source.close();
    target.close();
  },
};

type Step =
  | { readonly act: "transmit" | "bring"; readonly size: number }
  | { readonly act: "work"; readonly budget: number }
  | { readonly act: "poll" | "stop" | "activate" | "move" };

const size = fc.integer({ min: 0, max: 400 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant("transmit" as const), size }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant("bring" as const), size }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant("work" as const), budget: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constantFrom(
        "poll" as const,
        "poll" as const,
        "stop" as const,
        "activate" as const,
        "move" as const,
      ),
    }),
  },
);

const ANNOUNCEMENT = arp(1, [GUEST_MAC, GUEST_ADDRESS], [NOBODY, GUEST_ADDRESS]);

class World {
  private readonly carrier: Carrier;
  private here: Host;
  private there: Host;
  private readonly guest: NetDriver;
  private readonly canAnnounce: boolean;
  private serial = 0;
  private active = true;
  /** Frames that the guest has sent, and the device not yet. */
  private toSend: Uint8Array[] = [];
  /** Frames that have come for the guest, and that it has not seen. */
  private toReceive: Uint8Array[] = [];
  /** How many of the last of them wait in the device. */
  private waiting = 0;
  /** How many of the others it has dropped: which ones shows when the guest sees those behind them. */
  private droppable = 0;

  constructor(carrier: Carrier, without: bigint, ahead: number) {
    this.carrier = carrier;
    this.here = host(carrier.profile(), ahead);
    this.there = host(carrier.profile(), ahead);
    for (const one of [this.here, this.there]) carrier.prepare(one);
    this.canAnnounce = (without & GUEST_ANNOUNCE) === 0n;
    this.guest = new NetDriver(this.here.bus, this.here.memory, new Allocator(0x1000, GUEST_SIZE), {
      without,
      slots: 6,
      buffers: BUFFERS,
      bufferSize: 200,
      address: GUEST_ADDRESS,
    });
  }

  do(next: Step): void {
    switch (next.act) {
      case "transmit": {
        const frame = this.frame(next.size);
        if (this.guest.send(frame)) this.toSend.push(frame);
        break;
      }
      case "bring":
        this.bring(this.frame(next.size));
        break;
      case "work":
        this.work(next.budget);
        break;
      case "poll":
        this.poll();
        break;
      case "stop":
      case "activate":
        this.active = next.act === "activate";
        this.carrier.setActive(this.here, this.active);
        break;
      case "move":
        this.move();
        break;
    }
    this.hear();
  }

  drain(): void {
    this.active = true;
    this.carrier.setActive(this.here, true);
    for (let i = 0; i < 50; i++) {
      this.work();
      this.poll();
      this.hear();
      this.announce();
      this.guest.pollAnswer();
    }
    expect(this.toSend).toEqual([]);
    expect([this.toReceive.length, this.waiting]).toEqual([this.droppable, 0]);
    this.toReceive = [];
    this.droppable = 0;
    // Every buffer is of use still.
    for (let i = 0; i < BUFFERS; i++) this.bring(this.frame(0));
    expect([this.toReceive.length, this.waiting]).toEqual([BUFFERS, 0]);
    this.poll();
    expect(this.toReceive).toEqual([]);
    expect(this.guest.offered).toBe(BUFFERS);
    // The link is up, and no announcement is wanted any more.
    expect(this.here.type.config()[6]).toBe(1);
    expect(this.here.member.status).toBe(0x0f);
  }

  private frame(length: number): Uint8Array {
    const sequence = this.serial++;
    return ping({ sequence, data: Array.from({ length }, (_, i) => (i + sequence) & 0xff) });
  }

  private bring(frame: Uint8Array): void {
    const { type, network } = this.here;
    const before = { received: type.received, dropped: type.dropped };
    network.send(frame);
    if (type.dropped > before.dropped) return;
    this.toReceive.push(frame);
    if (type.received === before.received) this.waiting++;
  }

  /** Frames that wait may be delivered now, or dropped when the driver's buffers are too few for them. */
  private work(budget?: number): void {
    const { type, member } = this.here;
    const before = { received: type.received, dropped: type.dropped };
    member.run(undefined, budget);
    const dropped = type.dropped - before.dropped;
    const delivered = type.received - before.received;
    this.waiting -= delivered + dropped;
    this.droppable += dropped;
  }

  private poll(): void {
    for (let frame = this.guest.poll(); frame !== undefined; frame = this.guest.poll()) {
      let expected = this.toReceive.shift();
      while (this.droppable > 0 && Buffer.compare(expected ?? NOBODY, frame) !== 0) {
        this.droppable--;
        expected = this.toReceive.shift();
      }
      expect(frame).toEqual(expected);
    }
  }

  /** What the network at this host has heard: what the guest sent, in order. */
  private hear(): void {
    for (const frame of this.here.network.heard.splice(0)) expect(frame).toEqual(this.toSend.shift());
  }

  private move(): void {
    const { carrier, here, there, guest } = this;
    carrier.setActive(here, false);
    carrier.move(here, there);
    there.memory.write(0, here.memory.read(0, GUEST_SIZE));
    guest.attach(there.bus, there.memory);
    // The source is free for another guest; what waited in it is lost.
    this.toReceive.splice(this.toReceive.length - this.waiting);
    this.waiting = 0;
    carrier.setActive(here, true);
    here.member.reset();
    here.network.heard.length = 0;
    [this.here, this.there] = [there, here];
    carrier.setActive(there, true);
    this.active = true;
    this.announced();
  }

  /** The network learns where the guest is, from the guest if it can tell and from the device if not. */
  private announced(): void {
    const { network, type } = this.here;
    if (!this.canAnnounce) {
      expect(network.heard.shift()).toEqual(arp(3, [GUEST_MAC, 0], [GUEST_MAC, 0], { type: 0x8035 }));
      return;
    }
    expect(type.config()[6]).toBe(3);
    this.announce();
  }

  private announce(): void {
    if (this.guest.configChanged()) this.toSend.push(ANNOUNCEMENT);
  }
}

describe.each([
  ["the draft series' device context", deviceContext],
  ["the device parts of virtio 1.4", deviceParts],
])("a guest on the network moves with %s", (_, carrier) => {
  it.each([
    ["split rings", EVENT_IDX | IN_ORDER | INDIRECT | GUEST_ANNOUNCE],
    ["split rings with event indices", IN_ORDER | INDIRECT],
    ["split rings with indirect tables", EVENT_IDX | IN_ORDER],
    ["split rings in order", EVENT_IDX | INDIRECT | GUEST_ANNOUNCE],
  ])("and loses nothing that was on its way: %s", (_, without) => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.integer({ min: 0, max: 4 }),
        (steps, ahead) => {
          const world = new World(carrier, without | PACKED, ahead);
          for (const next of steps) world.do(next);
          world.drain();
        },
      ),
      { seed, numRuns: RUNS },
    );
  });
});
