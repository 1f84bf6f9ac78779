/**
 * The virtqueues of a saved device, read out of the guest's memory beside what its state says of them: what a destination
 * computes when it loads both.
 * @source QEMU 10.0.2, hw/virtio/virtio.c, virtio_load
 */
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import { Reader } from "../../../runtime/index.js";
import type { Chain } from "../../virtqueues/chain.js";
import { type InFlight, splitInFlight } from "../../virtqueues/in-flight.js";
import type { RingMemory, VirtqueuePlace } from "../../virtqueues/memory.js";
import { type PackedContent, type PackedStanding, PackedVirtqueue } from "../../virtqueues/packed.js";
import { type AvailableRing, SplitVirtqueue, type UsedRing } from "../../virtqueues/split.js";
import { savedAreas } from "./areas.js";
import { locateVirtio, type VirtioSection } from "./locate.js";
import { savedRequests } from "./requests.js";
import { savedValue } from "./saved.js";
import { decodeVirtioState, type VirtioState } from "./state.js";

export interface DeviceRings {
  /** What the driver accepted. */
  readonly features: bigint;
  readonly isPacked: boolean;
  /** VIRTIO_F_EVENT_IDX was accepted. */
  readonly eventIdx: boolean;
  /** Of split rings: a legacy driver's are in its own order. */
  readonly isLittleEndian: boolean;
  /** VIRTIO_F_ACCESS_PLATFORM was accepted: where the guest has an IOMMU, it turns these addresses into others. */
  readonly isTranslated: boolean;
  /** Queues that the device has; those that are set up are below. */
  readonly queueCount: number;
  readonly queues: readonly QueueRings[];
}

interface SavedQueue extends VirtqueuePlace {
  readonly index: number;
  /** Where the device goes on in the available ring: 16 bits. */
  readonly lastAvailable: number;
  /** Heads of the requests in flight that the device has saved, the oldest first. Undefined: such devices save none. */
  readonly saved: readonly number[] | undefined;
}

/** What virtio_load makes of the indices. `index`, `inuse`: it says so; undefined: memory does not tell. */
export type LoadVerdict = "sound" | "index" | "inuse" | undefined;

export interface SplitQueueRings extends SavedQueue {
  readonly kind: "split";
  readonly available: AvailableRing | undefined;
  readonly used: UsedRing | undefined;
  /** How far the available index is ahead of the device, modulo 65536: what waits. */
  readonly delta: number | undefined;
  /** How far the device is ahead of the used index: what is in flight. */
  readonly inUse: number | undefined;
  readonly verdict: LoadVerdict;
  readonly inFlight: InFlight | undefined;
  /** Of those in flight, all that it may be where it is not certain. */
  readonly chains: readonly Chain[];
}

export interface PackedQueueRings extends SavedQueue, PackedStanding {
  readonly kind: "packed";
  readonly content: PackedContent | undefined;
}

export type QueueRings = SplitQueueRings | PackedQueueRings;

/**
 * `bytes`: the field `virtio` of a device's section.
 * @throws WireError when it is damaged.
 */
export function readDeviceRings(bytes: Uint8Array, section: VirtioSection, memory: RingMemory): DeviceRings {
  const { saved: traits } = locateVirtio(new Reader(bytes), section);
  const state = decodeVirtioState(bytes, section);
  const accepted = (feature: bigint): boolean => (traits.features & feature) !== 0n;
  const isModern = accepted(VirtioFeature.VIRTIO_F_VERSION_1);
  const isPacked = accepted(VirtioFeature.VIRTIO_F_RING_PACKED);
  const eventIdx = accepted(VirtioFeature.VIRTIO_F_EVENT_IDX);
  const isLittleEndian = traits.guestLittleEndian;
  const heads = savedHeads(state);
  const { queues } = state.common.value;
  return {
    features: traits.features,
    isPacked,
    eventIdx,
    isLittleEndian,
    isTranslated: accepted(VirtioFeature.VIRTIO_F_ACCESS_PLATFORM),
    queueCount: queues.length,
    queues: queues.flatMap((queue, index): QueueRings[] => {
      if (queue.desc === 0n) return [];
      const place: SavedQueue = {
        ...savedAreas(state, queue, index, isModern),
        index,
        size: queue.num,
        lastAvailable: queue.lastAvailIdx,
        saved: heads?.filter((one) => one.queue === index).map(({ head }) => head),
      };
      if (isPacked) return [packedQueue(place, state, memory)];
      return [splitQueue(place, new SplitVirtqueue(memory, place, { isLittleEndian, eventIdx }))];
    }),
  };
}

function splitQueue(queue: SavedQueue, rings: SplitVirtqueue): SplitQueueRings {
  const { size, lastAvailable } = queue;
  const available = rings.available();
  const used = rings.used();
  const delta = available && (available.index - lastAvailable) & 0xffff;
  const inUse = used && (lastAvailable - used.index) & 0xffff;
  const inFlight =
    available &&
    used &&
    splitInFlight({
      size,
      available: available.heads,
      used: used.heads,
      availableIndex: available.index,
      taken: lastAvailable,
      usedIndex: used.index,
    });
  return {
    ...queue,
    kind: "split",
    available,
    used,
    delta,
    inUse,
    verdict: verdictOf(size, delta, inUse),
    inFlight,
    chains: (inFlight?.candidates ?? []).map((head) => rings.chain(head)),
  };
}

/** In the order in which virtio_load looks. */
function verdictOf(size: number, delta: number | undefined, inUse: number | undefined): LoadVerdict {
  if (delta === undefined) return undefined;
  if (delta > size) return "index";
  if (inUse === undefined) return undefined;
  return inUse > size ? "inuse" : "sound";
}

function packedQueue(queue: SavedQueue, state: VirtioState, memory: RingMemory): PackedQueueRings {
  const saved = savedValue(state, "qemu_virtio_packed_virtqueues")?.vq[queue.index];
  const standing: PackedStanding = {
    available: { slot: saved?.lastAvailIdx ?? queue.lastAvailable, wrap: saved?.lastAvailWrapCounter !== 0 },
    used: { slot: saved?.usedIdx ?? 0, wrap: saved?.usedWrapCounter !== 0 },
    inUse: saved?.inuse ?? 0,
  };
  const content = new PackedVirtqueue(memory, queue).content(standing);
  return { ...queue, kind: "packed", ...standing, content };
}

/** Undefined: what such a device has in flight is not in its own part. */
function savedHeads(state: VirtioState): { readonly queue: number; readonly head: number }[] | undefined {
  const isKept =
    savedValue(state, "qemu_virtio_blk") !== undefined ||
    savedValue(state, "qemu_virtio_serial") !== undefined;
  if (!isKept) return undefined;
  return savedRequests(state).map(({ queue, request }) => ({ queue, head: request.element.index }));
}
