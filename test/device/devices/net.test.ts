import { describe, expect, it } from "vitest";
import { VirtioNetCtrlCommands } from "../../../generated/virtio/net-ctrl.js";
import { type FramePort, Hub, type Link } from "../../../src/device/devices/link.js";
import { NetDevice, type NetOptions } from "../../../src/device/devices/net.js";
import { Responder } from "../../../src/device/devices/responder.js";
import { DevicePartsReader, deviceParts } from "../../../src/device/formats/device-parts.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { NetDriver, type NetDriverOptions } from "../../../src/device/guest/net-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { ChainParts, DescriptorChain } from "../../../src/device/rings/chain.js";
import { arp, BROADCAST, GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS, HOST_MAC, ping, pong } from "./frames.js";

const INDIRECT = 1n << 28n;
const EVENT_IDX = 1n << 29n;
const PACKED = 1n << 34n;
const IN_ORDER = 1n << 35n;
const MRG_RXBUF = 1n << 15n;
const CTRL_VQ = 1n << 17n;
const CTRL_VLAN = 1n << 19n;
const GUEST_ANNOUNCE = 1n << 21n;
const MQ = 1n << 22n;

interface Machine extends NetDriverOptions {
  readonly options?: Partial<NetOptions>;
  readonly deferred?: boolean;
  readonly offered?: bigint;
}

function machine({ options = {}, deferred = false, offered = 0n, ...driverOptions }: Machine = {}) {
  const memory = GuestMemory.of(1 << 20);
  const interrupts: (number | "config")[] = [];
  const type = new NetDevice({ mac: GUEST_MAC, queueSize: 64, ...options });
  const device = new VirtioDevice(
    type,
    memory,
    { queue: (queue) => interrupts.push(queue), config: () => interrupts.push("config") },
    { packed: true, deferred, without: offered },
  );
  const bus = {
    common: new CommonConfig(device),
    notify: (queue: number) => device.notify(queue),
    deviceConfig: () => type.config(),
  };
  const driver = new NetDriver(bus, memory, new Allocator(0x1000, 1 << 20), driverOptions);
  return { memory, interrupts, type, device, driver };
}

function host(): Responder {
  return new Responder({ address: HOST_ADDRESS, mac: HOST_MAC });
}

/** A link that keeps what the device sends, and brings what a test sends. */
class Wire implements Link {
  readonly sent: Uint8Array[] = [];
  private port: FramePort | undefined;

  attach(port: FramePort): FramePort {
    this.port = port;
    return { receive: (bytes, length) => this.sent.push(bytes.slice(0, length)) };
  }

  detach(): void {}

  bring(frame: Uint8Array): void {
    this.port?.receive(frame, frame.length);
  }
}

const RINGS = [
  ["split", PACKED],
  ["packed", 0n],
] as const;
const USES = [
  ["", INDIRECT | EVENT_IDX | IN_ORDER],
  [" with event indices", INDIRECT | IN_ORDER],
  [" with indirect tables", EVENT_IDX | IN_ORDER],
  [" in order", INDIRECT | EVENT_IDX],
  [" with all of it", 0n],
] as const;
const KINDS = RINGS.flatMap(([ring, a]) => USES.map(([use, b]) => [`${ring} rings${use}`, a | b] as const));

describe.each(KINDS)("a network device on %s", (_, without) => {
  it("lets a guest ping", () => {
    const { driver, device, type, interrupts } = machine({ options: { link: host() }, without });
    expect(device.has(PACKED)).toBe((without & PACKED) === 0n);
    expect(driver.send(arp(1, [GUEST_MAC, GUEST_ADDRESS], [new Uint8Array(6), HOST_ADDRESS]))).toBe(true);
    expect(driver.poll()).toEqual(
      arp(2, [HOST_MAC, HOST_ADDRESS], [GUEST_MAC, GUEST_ADDRESS], { to: GUEST_MAC }),
    );
    expect(interrupts).toContain(0);
    for (let sequence = 0; sequence < 200; sequence++) {
      expect(driver.send(ping({ sequence }))).toBe(true);
      expect(driver.poll()).toEqual(pong({ sequence }));
      expect(driver.poll()).toBeUndefined();
    }
    expect([type.transmitted, type.received, type.dropped]).toEqual([201, 201, 0]);
  });

  it("answers in order when work waits", () => {
    const { driver, device } = machine({ options: { link: host() }, deferred: true, without });
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 8; i++) driver.send(ping({ sequence: i }));
      device.run();
      for (let i = 0; i < 8; i++) expect(driver.poll()).toEqual(pong({ sequence: i }));
    }
  });

  it("spreads a frame over buffers that are merged, and never shows a part of it", () => {
    const { driver, interrupts } = machine({
      options: { link: host() },
      without,
      bufferSize: 128,
      buffers: 20,
    });
    const data = Array.from({ length: 1400 }, (_, i) => i & 0xff);
    for (let i = 0; i < 20; i++) {
      driver.send(ping({ sequence: i, data }));
      expect(driver.poll()).toEqual(pong({ sequence: i, data }));
    }
    expect(interrupts.length).toBeGreaterThan(0);
  });
});

describe("frames", () => {
  it("wait for buffers, in order, and are dropped when too many wait", () => {
    const link = new Wire();
    const { driver, type } = machine({ options: { link, backlog: 3 }, buffers: 2 });
    for (let sequence = 0; sequence < 7; sequence++) link.bring(pong({ sequence }));
    const got = Array.from({ length: 6 }, () => driver.poll());
    expect(got).toEqual([0, 1, 2, 3, 4, undefined].map((n) => (n === undefined ? n : pong({ sequence: n }))));
    expect(type.dropped).toBe(2);
  });

  it("that no buffer can hold are dropped without merging, and the buffer is used for the next one", () => {
    const link = new Wire();
    const { driver, type } = machine({ options: { link }, without: MRG_RXBUF, bufferSize: 128, buffers: 1 });
    link.bring(pong({ data: new Array(200).fill(1) }));
    link.bring(pong({ data: [1] }));
    expect(driver.poll()).toEqual(pong({ data: [1] }));
    expect(type.dropped).toBe(1);
  });

  it("that all buffers together cannot hold are dropped, and hold nothing up", () => {
    const link = new Wire();
    const { driver, type } = machine({ options: { link }, bufferSize: 128, buffers: 2 });
    link.bring(pong({ data: new Array(1000).fill(1) }));
    link.bring(pong({ data: [1] }));
    expect(driver.poll()).toEqual(pong({ data: [1] }));
    expect(type.dropped).toBe(1);
  });

  it("shorter than a header, or longer than any frame, are dropped", () => {
    const link = new Wire();
    const { driver, type } = machine({ options: { link } });
    link.bring(new Uint8Array(13));
    link.bring(new Uint8Array(70_000));
    driver.send(new Uint8Array(13));
    expect(driver.poll()).toBeUndefined();
    expect(link.sent).toEqual([]);
    expect(type.dropped).toBe(3);
  });

  it("on a device that no driver has set up are dropped", () => {
    const link = new Wire();
    const type = new NetDevice({ mac: GUEST_MAC, link });
    link.bring(pong());
    expect(type.dropped).toBe(1);
  });

  it("from the link interrupt a driver that does not poll, once it asks for that", () => {
    const link = new Wire();
    const { interrupts } = machine({ options: { link } });
    link.bring(pong());
    expect(interrupts).toEqual([0]);
  });

  it("go to another guest through a hub, and to nobody else", () => {
    const link = new Hub();
    const others = [1, 2].map((n) => Uint8Array.of(0x52, 0x54, 0, 0, 0, n));
    const [a, b, c] = [GUEST_MAC, ...others].map((mac) => machine({ options: { link, mac } }));
    // Without promiscuous mode a device keeps what is for others to itself.
    for (const one of [a, b, c]) {
      one?.driver.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_PROMISC, {
        case: "virtioNetCtrlRxPromisc",
        value: { on: 0 },
      });
    }
    const frame = ping({ to: others[0] as Uint8Array });
    a?.driver.send(frame);
    expect([a, b, c].map((one) => one?.driver.poll())).toEqual([undefined, frame, undefined]);
    const toAll = ping({ to: BROADCAST });
    b?.driver.send(toAll);
    expect([a, b, c].map((one) => one?.driver.poll())).toEqual([toAll, undefined, toAll]);
  });
});

describe("receive buffers without room for a header", () => {
  it("hold a device up no longer than for one frame, however fast they come back", () => {
    const link = new Wire();
    const type = new NetDevice({ mac: GUEST_MAC, link, withoutControl: true });
    const memory = GuestMemory.of(4096);
    let taken = 0;
    type.start({
      isActive: true,
      has: () => false,
      isEnabled: () => true,
      take: () => {
        const parts = new ChainParts(memory);
        parts.add(0, 4, true);
        return new DescriptorChain(memory, taken++ & 0xff, 1, parts);
      },
      give: () => {},
      tellUsed: () => {},
      wantBuffers: () => {},
      configChanged: () => {},
      wake: () => {},
    });
    link.bring(pong());
    expect(type.dropped).toBe(1);
    expect(taken).toBeLessThan(2000);
  });
});

describe("several pairs of virtqueues", () => {
  it.each([0, 1.5, 0x8001])("are not %d", (pairs) => {
    expect(() => new NetDevice({ mac: GUEST_MAC, pairs })).toThrow(RangeError);
  });

  it("are used when the driver says so, and answers come on the pair of the question", () => {
    const { driver } = machine({ options: { link: host(), pairs: 2 } });
    expect(
      driver.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, {
        case: "virtioNetCtrlMqVqPairsSet",
        value: { virtqueuePairs: 2 },
      }),
    ).toBe(true);
    expect(driver.pollAnswer()).toBe(true);
    for (const pair of [1, 0, 1]) {
      driver.send(ping(), pair);
      expect(driver.pollPair(1 - pair)).toBeUndefined();
      expect(driver.pollPair(pair)).toEqual(pong());
    }
  });

  it("are left when the driver has asked for one", () => {
    const { driver } = machine({ options: { link: host(), pairs: 2 } });
    driver.send(ping(), 1);
    expect(driver.pollPair(1)).toBeUndefined();
    expect(driver.pollPair(0)).toEqual(pong());
  });

  it("leave nothing waiting behind the ones that are used", () => {
    const link = new Wire();
    const { driver, device, type } = machine({ options: { link, pairs: 2, backlog: 2 }, buffers: 1 });
    const use = (virtqueuePairs: number): void => {
      driver.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, {
        case: "virtioNetCtrlMqVqPairsSet",
        value: { virtqueuePairs },
      });
      expect(driver.pollAnswer()).toBe(true);
    };
    use(2);
    driver.send(ping(), 1);
    // The flow's buffer, two frames that wait for another, and one too many.
    for (let sequence = 0; sequence < 4; sequence++) link.bring(pong({ sequence }));
    expect(type.dropped).toBe(1);
    use(1);
    // virtio 1.4: nothing is queued on receiveq2 once the command is used, whatever buffers it gets.
    expect(driver.pollPair(1)).toEqual(pong({ sequence: 0 }));
    device.run();
    expect(driver.pollPair(1)).toBeUndefined();
    const got = [driver.pollPair(0), driver.pollPair(0), driver.pollPair(0)];
    expect(got).toEqual([pong({ sequence: 1 }), pong({ sequence: 2 }), undefined]);
  });

  it("are passed over when their virtqueues are not enabled", () => {
    const link = new Wire();
    const { driver, device } = machine({ options: { link, pairs: 2, withoutControl: true } });
    driver.send(ping(), 1);
    link.bring(pong());
    expect(driver.pollPair(1)).toEqual(pong());
    // What a vhost-user front-end does with VHOST_USER_SET_VRING_ENABLE.
    const [, , receive] = device.queues;
    if (receive !== undefined) receive.enabled = false;
    link.bring(pong());
    expect([driver.pollPair(1), driver.pollPair(0)]).toEqual([undefined, pong()]);
  });

  it.each([0, 3, 0x8001])("cannot be %i of two", (virtqueuePairs) => {
    const { driver } = machine({ options: { pairs: 2 } });
    driver.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, {
      case: "virtioNetCtrlMqVqPairsSet",
      value: { virtqueuePairs },
    });
    expect(driver.pollAnswer()).toBe(false);
  });

  it("put the control virtqueue behind the first pair of a driver without VIRTIO_NET_F_MQ", () => {
    const { driver, device } = machine({ options: { link: host(), pairs: 4 }, without: MQ });
    expect(device.queues.length).toBe(9);
    driver.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_RX_PROMISC, {
      case: "virtioNetCtrlRxPromisc",
      value: { on: 1 },
    });
    expect(driver.pollAnswer()).toBe(true);
    driver.send(ping());
    expect(driver.poll()).toEqual(pong());
  });

  it("serve without a control virtqueue, as in a vhost-user back-end", () => {
    const { driver, device } = machine({ options: { link: host(), pairs: 2, withoutControl: true } });
    expect(device.queues.length).toBe(4);
    expect(device.has(CTRL_VQ)).toBe(false);
    driver.send(ping(), 1);
    expect(driver.pollPair(1)).toEqual(pong());
    driver.send(ping(), 0);
    expect(driver.pollPair(0)).toEqual(pong());
  });
});

describe("the control virtqueue", () => {
  const MULTICAST = Uint8Array.of(0x01, 0x00, 0x5e, 0, 0, 1);
  const OTHER = Uint8Array.of(0x52, 0x54, 0, 9, 9, 9);

  function receiver() {
    const link = new Wire();
    const one = machine({ options: { link } });
    const set = (command: number, body: Parameters<NetDriver["request"]>[1]): boolean | undefined => {
      expect(one.driver.request(command, body)).toBe(true);
      return one.driver.pollAnswer();
    };
    const hears = (to: Uint8Array, vlan?: number): boolean => {
      link.bring(ping(vlan === undefined ? { to } : { to, vlan }));
      return one.driver.poll() !== undefined;
    };
    return { ...one, set, hears };
  }

  it("filters by address once promiscuous mode is off", () => {
    const { set, hears } = receiver();
    const all = () => [GUEST_MAC, OTHER, MULTICAST, BROADCAST].map((to) => hears(to));
    expect(all()).toEqual([true, true, true, true]);
    set(0x0000, { case: "virtioNetCtrlRxPromisc", value: { on: 0 } });
    expect(all()).toEqual([true, false, false, true]);
    set(0x0100, {
      case: "virtioNetCtrlMacTableSet",
      value: { unicast: { macs: [OTHER] }, multicast: { macs: [MULTICAST] } },
    });
    expect(all()).toEqual([true, true, true, true]);
    set(0x0100, {
      case: "virtioNetCtrlMacTableSet",
      value: { unicast: { macs: [] }, multicast: { macs: [] } },
    });
    expect(all()).toEqual([true, false, false, true]);
    set(0x0001, { case: "virtioNetCtrlRxAllmulti", value: { on: 1 } });
    expect(all()).toEqual([true, false, true, true]);
    set(0x0003, { case: "virtioNetCtrlRxNomulti", value: { on: 1 } });
    expect(all()).toEqual([true, false, false, true]);
    set(0x0002, { case: "virtioNetCtrlRxAlluni", value: { on: 1 } });
    set(0x0005, { case: "virtioNetCtrlRxNobcast", value: { on: 1 } });
    expect(all()).toEqual([true, true, false, false]);
    set(0x0004, { case: "virtioNetCtrlRxNouni", value: { on: 1 } });
    expect(all()).toEqual([false, false, false, false]);
  });

  it("receives everything of a kind when its table is too small", () => {
    const { set, hears } = receiver();
    const macs = Array.from({ length: 65 }, (_, i) => Uint8Array.of(0x52, 0, 0, 0, 0, i));
    set(0x0000, { case: "virtioNetCtrlRxPromisc", value: { on: 0 } });
    set(0x0100, {
      case: "virtioNetCtrlMacTableSet",
      value: { unicast: { macs }, multicast: { macs: [] } },
    });
    expect([OTHER, MULTICAST].map((to) => hears(to))).toEqual([true, false]);
  });

  it("filters VLANs, of which none is received at first", () => {
    const { set, hears } = receiver();
    expect([hears(GUEST_MAC, 5), hears(GUEST_MAC)]).toEqual([false, true]);
    set(0x0200, { case: "virtioNetCtrlVlanAdd", value: { vlanId: 5 } });
    expect([hears(GUEST_MAC, 5), hears(GUEST_MAC, 6)]).toEqual([true, false]);
    set(0x0201, { case: "virtioNetCtrlVlanDel", value: { vlanId: 5 } });
    expect(hears(GUEST_MAC, 5)).toBe(false);
    expect(set(0x0200, { case: "virtioNetCtrlVlanAdd", value: { vlanId: 4096 } })).toBe(false);
  });

  it("filters no VLANs that were not negotiated", () => {
    const link = new Wire();
    const { driver } = machine({ options: { link }, without: CTRL_VLAN });
    link.bring(ping({ to: GUEST_MAC, vlan: 5 }));
    expect(driver.poll()).toBeDefined();
  });

  it("sets the address, which the configuration shows until the device is reset", () => {
    const { set, hears, driver, device } = receiver();
    set(0x0000, { case: "virtioNetCtrlRxPromisc", value: { on: 0 } });
    expect(set(0x0101, { case: "virtioNetCtrlMacAddrSet", value: { mac: OTHER } })).toBe(true);
    expect(driver.mac).toEqual(OTHER);
    expect([hears(OTHER), hears(GUEST_MAC)]).toEqual([true, false]);
    device.reset();
    expect(driver.mac).toEqual(GUEST_MAC);
  });

  it.each([
    ["an unknown class", [77, 0, 1]],
    ["an unknown command", [0, 9, 1]],
    ["data that are too short", [1, 1, 1, 2, 3]],
    ["data that are too long", [0, 0, 1, 1]],
    ["a table that claims more than there is", [1, 0, 0xff, 0xff, 0xff, 0xff, 1]],
    ["no command", [0]],
  ])("refuses %s", (_, bytes) => {
    const { memory, driver, device } = receiver();
    memory.write(0xf0000, Uint8Array.from(bytes));
    const queue = driver.driver.queues[2];
    queue?.add({
      readable: [{ address: 0xf0000, length: bytes.length }],
      writable: [{ address: 0xf0100, length: 1 }],
    });
    device.notify(2);
    expect(queue?.poll()?.written).toBe(1);
    expect(memory.read(0xf0100, 1)[0]).toBe(1);
    expect(device.isLive).toBe(true);
  });

  it("gives back a command that leaves no room for an answer", () => {
    const { memory, driver, device } = receiver();
    memory.write(0xf0000, Uint8Array.of(0, 0, 1));
    const queue = driver.driver.queues[2];
    const id = queue?.add({ readable: [{ address: 0xf0000, length: 3 }], writable: [] });
    device.notify(2);
    expect(queue?.poll()).toEqual({ id, written: 0 });
  });
});

describe("a network device that has moved", () => {
  function moved(without = 0n, ahead = 0) {
    const links = [new Wire(), new Wire()] as const;
    const source = machine({
      options: { link: links[0], pairs: 2, ahead },
      without,
      address: GUEST_ADDRESS,
    });
    const { driver, memory } = source;
    if ((without & CTRL_VQ) === 0n) {
      driver.request(0x0400, { case: "virtioNetCtrlMqVqPairsSet", value: { virtqueuePairs: 2 } });
      driver.request(0x0200, { case: "virtioNetCtrlVlanAdd", value: { vlanId: 9 } });
      driver.request(0x0000, { case: "virtioNetCtrlRxPromisc", value: { on: 0 } });
      driver.request(0x0100, {
        case: "virtioNetCtrlMacTableSet",
        value: { unicast: { macs: [HOST_MAC] }, multicast: { macs: [] } },
      });
      driver.pollAnswer();
    }
    source.device.setMode("freeze");
    const state = source.device.save();
    const type = new NetDevice({ mac: new Uint8Array(6), link: links[1], pairs: 2, ahead, queueSize: 64 });
    const interrupts: (number | "config")[] = [];
    const device = new VirtioDevice(
      type,
      memory,
      { queue: (queue) => interrupts.push(queue), config: () => interrupts.push("config") },
      { packed: true },
    );
    device.setMode("freeze");
    device.restore(state);
    const restored = device.save();
    const bus = {
      common: new CommonConfig(device),
      notify: (queue: number) => device.notify(queue),
      deviceConfig: () => type.config(),
    };
    driver.attach(bus, memory);
    device.setMode("active");
    return { state, restored, driver, device, type, interrupts, link: links[1] };
  }

  it("is what it was", () => {
    const { state, restored, driver, link } = moved();
    expect(state.net).toEqual({
      promiscuous: false,
      allMulticast: false,
      allUnicast: false,
      noMulticast: false,
      noUnicast: false,
      noBroadcast: false,
      unicast: [HOST_MAC],
      multicast: [],
      unicastOverflow: false,
      multicastOverflow: false,
      vlans: [9],
      pairs: 2,
    });
    expect(restored).toEqual(state);
    expect(driver.mac).toEqual(GUEST_MAC);
    link.bring(ping({ to: HOST_MAC, vlan: 9 }));
    expect(driver.poll()).toBeDefined();
    link.bring(ping({ to: HOST_MAC, vlan: 8 }));
    expect(driver.poll()).toBeUndefined();
  });

  it("asks the driver to announce itself, which acknowledges that", () => {
    const { driver, device, interrupts, link } = moved();
    expect(interrupts).toContain("config");
    expect(device.type.config()[6]).toBe(3);
    driver.configChanged();
    expect(link.sent).toEqual([arp(1, [GUEST_MAC, GUEST_ADDRESS], [new Uint8Array(6), GUEST_ADDRESS])]);
    expect(driver.pollAnswer()).toBe(true);
    expect(device.type.config()[6]).toBe(1);
  });

  it.each([
    ["cannot announce itself", GUEST_ANNOUNCE],
    ["has no control virtqueue", CTRL_VQ],
  ])("is announced with RARP when its driver %s", (_, without) => {
    const { link } = moved(without);
    expect(link.sent).toEqual([arp(3, [GUEST_MAC, 0], [GUEST_MAC, 0], { type: 0x8035 })]);
  });

  it("goes on with the buffers that it had taken", () => {
    const { state, driver, link, type } = moved(PACKED, 4);
    expect(state.queues.map(({ owned }) => owned.length)).toEqual([4, 0, 4, 0, 0]);
    const before = driver.offered;
    for (let sequence = 0; sequence < 40; sequence++) {
      link.bring(ping({ to: GUEST_MAC, sequence }));
      expect(driver.poll()).toEqual(ping({ to: GUEST_MAC, sequence }));
    }
    expect(driver.offered).toBe(before);
    expect(type.dropped).toBe(0);
  });

  it("has given all buffers back when it was asked to finish", () => {
    const { driver, device } = machine({ options: { ahead: 4 } });
    device.run();
    expect(device.save().queues[0]?.owned.length).toBe(4);
    device.finish();
    expect(device.save().queues[0]?.owned).toEqual([]);
    expect(driver.poll()).toBeUndefined();
    expect(driver.offered).toBe(16);
  });

  it("has the address that its driver has set, also where only a command's part says it", () => {
    const other = Uint8Array.of(0x52, 0x54, 0, 9, 9, 9);
    const { driver, device } = machine();
    driver.request(0x0101, { case: "virtioNetCtrlMacAddrSet", value: { mac: other } });
    driver.request(0x0200, { case: "virtioNetCtrlVlanAdd", value: { vlanId: 9 } });
    const there = machine({ options: { mac: HOST_MAC } });
    const reader = new DevicePartsReader(there.device.save());
    for (const { part } of deviceParts(device.save())) reader.take(part);
    there.device.restore(reader.result);
    expect(there.type.mac).toEqual(other);
    expect(there.device.save().net?.vlans).toEqual([9]);
  });

  it.each([
    ["a VLAN that there is not", { vlans: [4096] }],
    ["an address of five bytes", { mac: new Uint8Array(5) }],
    ["no pairs at all", { pairs: 0 }],
  ])("refuses %s, and stays as it was", (_, change) => {
    const { device } = machine();
    const before = device.save();
    const { net } = before;
    if (net === undefined) throw new Error("a device with a control virtqueue");
    expect(() => device.restore({ ...before, net: { ...net, ...change } })).toThrow(RangeError);
    expect(device.save()).toEqual(before);
  });

  it("refuses a state of another number of pairs", () => {
    const { state } = moved();
    const other = machine({ options: { pairs: 4 } });
    expect(() => other.device.restore(state)).toThrow("2 pairs of virtqueues, here are 4");
  });
});
