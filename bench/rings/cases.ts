/** What is measured: a round of work on all buffers of a ring, again and again. */
import { VirtioFeature, VirtioNetFeature } from "../../generated/virtio/features.js";
import { VirtioDeviceStatus } from "../../generated/virtio/ids.js";
import { VIRTIO_NET_HDR_V1_SIZE } from "../../generated/virtio/net.js";
import { NetDevice } from "../../src/device/devices/net.js";
import { Responder } from "../../src/device/devices/responder.js";
import { VirtioDevice } from "../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../src/device/memory/guest-memory.js";
import { PackedDeviceQueue } from "../../src/device/rings/packed-device.js";
import { SplitDeviceQueue } from "../../src/device/rings/split-device.js";
import { GUEST_MAC, HOST_ADDRESS, HOST_MAC, ping } from "../../test/device/devices/frames.js";
import { type Buffers, bufferAddress, packedRing, RING_SIZE, splitRing } from "./guest.js";

const MEMORY = 4 << 20;
const RECEIVE: Buffers = { start: 0x100000, length: 1526, writable: true };
const TRANSMIT_START = 0x200000;
/** Ethernet, IPv4 and ICMP headers. */
const PING_HEADERS = 42;
const { VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_DRIVER_OK } = VirtioDeviceStatus;

/** One round, on RING_SIZE buffers. Throws when it was not done whole. */
type Round = () => void;

/** The device takes each buffer of one descriptor and gives it back. */
function descriptors(packed: boolean): Round {
  const memory = GuestMemory.of(MEMORY);
  const ring = (packed ? packedRing : splitRing)(memory, 0x10000, RECEIVE);
  const queue = packed ? new PackedDeviceQueue(memory, ring.place) : new SplitDeviceQueue(memory, ring.place);
  return () => {
    ring.offer();
    let done = 0;
    for (let chain = queue.take(); chain !== undefined; chain = queue.take()) {
      queue.give(chain);
      done++;
    }
    if (done !== RING_SIZE) throw new Error(`${done} buffers of ${RING_SIZE}`);
  };
}

/** The same by hand, with DataView and one region: no chains, no bounds but the region's, no record of what was taken. */
function splitByHand(): Round {
  const memory = GuestMemory.of(MEMORY);
  const ring = splitRing(memory, 0x10000, RECEIVE);
  const { view, length } = memory.regionOf(0, MEMORY);
  const { descriptorArea, driverArea, deviceArea } = ring.place;
  let next = 0;
  let bytes = 0;
  return () => {
    ring.offer();
    for (const end = view.getUint16(driverArea + 2, true); next !== end; next = (next + 1) & 0xffff) {
      const slot = next % RING_SIZE;
      const head = view.getUint16(driverArea + 4 + slot * 2, true);
      const at = descriptorArea + head * 16;
      const address = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
      const size = view.getUint32(at + 8, true);
      if (address + size > length) throw new Error("outside of memory");
      bytes += size;
      view.setUint32(deviceArea + 4 + slot * 8, head, true);
      view.setUint32(deviceArea + 8 + slot * 8, 0, true);
      view.setUint16(deviceArea + 2, (next + 1) & 0xffff, true);
    }
    if (bytes === 0) throw new Error("nothing was read");
  };
}

/** A guest's pings, each in one descriptor, answered into receive buffers: through the whole device. */
function echoes(packed: boolean, length: number): Round {
  const memory = GuestMemory.of(MEMORY);
  const responder = new Responder({ address: HOST_ADDRESS, mac: HOST_MAC });
  const net = new NetDevice({ mac: GUEST_MAC, link: responder, queueSize: RING_SIZE, withoutControl: true });
  const device = new VirtioDevice(net, memory, { queue: () => {}, config: () => {} }, { packed: true });
  const transmit: Buffers = {
    start: TRANSMIT_START,
    length: VIRTIO_NET_HDR_V1_SIZE + length,
    writable: false,
  };
  const frame = ping({ data: Array.from({ length: length - PING_HEADERS }, (_, i) => i & 0xff) });
  for (let i = 0; i < RING_SIZE; i++) {
    memory.write(bufferAddress(transmit, i) + VIRTIO_NET_HDR_V1_SIZE, frame);
  }
  const lay = packed ? packedRing : splitRing;
  const rings = [lay(memory, 0x10000, RECEIVE), lay(memory, 0x20000, transmit)];
  device.driverFeatures =
    VirtioFeature.VIRTIO_F_VERSION_1 |
    VirtioNetFeature.VIRTIO_NET_F_MRG_RXBUF |
    (packed ? VirtioFeature.VIRTIO_F_RING_PACKED : 0n);
  device.writeStatus(VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
  device.queues.forEach((queue, index) => {
    const place = rings[index]?.place;
    if (place === undefined) return;
    queue.size = place.size;
    queue.descriptorArea = BigInt(place.descriptorArea);
    queue.driverArea = BigInt(place.driverArea);
    queue.deviceArea = BigInt(place.deviceArea);
    queue.enabled = true;
  });
  device.writeStatus(VIRTIO_CONFIG_S_DRIVER_OK);
  return () => {
    for (const ring of rings) ring.offer();
    const before = responder.echoes;
    device.notify(1);
    if (responder.echoes !== before + RING_SIZE || net.dropped > 0) {
      throw new Error(`${responder.echoes - before} pings of ${RING_SIZE} answered`);
    }
  };
}

export const cases: Readonly<Record<string, () => Round>> = {
  "descriptors, split": () => descriptors(false),
  "descriptors, split, by hand": splitByHand,
  "descriptors, packed": () => descriptors(true),
  "echoes of 64 bytes, split": () => echoes(false, 64),
  "echoes of 64 bytes, packed": () => echoes(true, 64),
  "echoes of 1514 bytes, split": () => echoes(false, 1514),
  "echoes of 1514 bytes, packed": () => echoes(true, 1514),
};
