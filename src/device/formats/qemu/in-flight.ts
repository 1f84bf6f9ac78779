/**
 * Requests in flight in a device's own part of what QEMU saves: which buffer, of which virtqueue, and what its descriptors
 * said.
 * @source QEMU 10.0.2, hw/block/virtio-blk.c, hw/char/virtio-serial-bus.c, hw/virtio/virtio.c (VirtQueueElementOld)
 */
import type {
  QemuVirtqueueElement,
  QemuVirtqueueRequest,
} from "../../../../generated/qemu/virtio/element.js";
import { outputQueue, savedRequests } from "../../../streams/qemu/virtio/requests.js";
import { savedValue } from "../../../streams/qemu/virtio/saved.js";
import type { VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { BufferPart, OwnedBuffer } from "../../member/device-state.js";

/** By virtqueue, in the order in which the device has taken them. */
export type InFlight = ReadonlyMap<number, readonly OwnedBuffer[]>;

export function readInFlight(state: VirtioState): InFlight {
  const found = new Map<number, OwnedBuffer[]>();
  for (const { queue, request } of savedRequests(state)) {
    const list = found.get(queue) ?? [];
    list.push(ownedBuffer(request));
    found.set(queue, list);
  }
  return found;
}

/** Whether QEMU keeps buffers of this device in its section: of the others, it only knows how far it has read. */
export function holdsRequests(state: VirtioState): boolean {
  return savedValue(state, "qemu_virtio_blk") !== undefined;
}

/**
 * Whether it reads them back: of a device that offers packed virtqueues, whatever ring its driver uses, QEMU writes the
 * number of descriptors in front of a request and looks for it behind.
 * @source QEMU 10.0.2, hw/virtio/virtio.c, qemu_put_virtqueue_element, qemu_get_virtqueue_element
 */
export function misreadsRequests(state: VirtioState): boolean {
  return savedValue(state, "qemu_virtio_packed_virtqueues") !== undefined;
}

/**
 * Puts requests into the device's own part, where it has a place for them. Those whose descriptors are not known are left
 * out. Of a console only those stay that were there: how far into a buffer it was, nobody else knows.
 */
export function writeInFlight(state: VirtioState, inFlight: InFlight): void {
  for (const port of savedValue(state, "qemu_virtio_serial")?.ports ?? []) {
    const index = port.request?.element.index;
    const isKept = inFlight.get(outputQueue(port.id))?.some(({ id }) => id === index) ?? false;
    if (index === undefined || isKept) continue;
    port.elemPopped = 0;
    port.iovIdx = undefined;
    port.iovOffset = undefined;
    port.request = undefined;
  }
  const own = savedValue(state, "qemu_virtio_blk");
  if (own === undefined) return;
  const offersPacked = misreadsRequests(state);
  const isMultiqueue = state.common.value.queues.length > 1;
  const kept = own.requests.map(({ request }) => request);
  own.requests = [];
  for (const [queue, buffers] of inFlight) {
    for (const buffer of buffers) {
      if (buffer.parts === undefined) continue;
      const { readable, writable, descriptors } = buffer.parts;
      const element = elementOf(buffer.id, readable, writable, kept);
      const ndescs = descriptors ?? readable.length + writable.length;
      own.requests.unshift({
        ...(isMultiqueue ? { vqIndex: queue } : {}),
        request: offersPacked ? { ndescs, element } : { element },
      });
    }
  }
}

function ownedBuffer({ ndescs, element }: QemuVirtqueueRequest): OwnedBuffer {
  const parts = (
    addresses: readonly bigint[],
    lengths: readonly { readonly iovLen: bigint | number }[],
  ): BufferPart[] => addresses.map((address, i) => ({ address, length: Number(lengths[i]?.iovLen ?? 0n) }));
  const { index, inAddr, outAddr } = element;
  const { inSg = element.inSg32 ?? [], outSg = element.outSg32 ?? [] } = element;
  return {
    id: index,
    parts: { readable: parts(outAddr, outSg), writable: parts(inAddr, inSg), descriptors: ndescs },
  };
}

/** One that is there already keeps what the element holds besides: QEMU before 2.6 left its own addresses in it. */
function elementOf(
  index: number,
  readable: readonly BufferPart[],
  writable: readonly BufferPart[],
  kept: readonly QemuVirtqueueRequest[],
): QemuVirtqueueElement {
  const same = kept.find(({ element }) => {
    return element.index === index && isSame(element.outAddr, readable) && isSame(element.inAddr, writable);
  });
  if (same !== undefined) return same.element;
  const common = {
    index,
    inAddr: writable.map(({ address }) => address),
    outAddr: readable.map(({ address }) => address),
  };
  // As the others in the section, which a 32-bit host has saved.
  if (kept.some(({ element }) => element.inSg32 !== undefined)) {
    const lengths = (parts: readonly BufferPart[]) =>
      parts.map(({ length }) => ({ iovBase: 0, iovLen: length }));
    return { ...common, inSg32: lengths(writable), outSg32: lengths(readable) };
  }
  const lengths = (parts: readonly BufferPart[]) =>
    parts.map(({ length }) => ({ iovBase: 0n, iovLen: BigInt(length) }));
  return { ...common, inSg: lengths(writable), outSg: lengths(readable) };
}

function isSame(addresses: readonly bigint[], parts: readonly BufferPart[]): boolean {
  return addresses.length === parts.length && parts.every(({ address }, i) => address === addresses[i]);
}
