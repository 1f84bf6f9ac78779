/**
 * One virtqueue as the front-end sets it up: where it lies, where it goes on, whom to call. The ring itself is opened
 * when all of that is known, and opened again whenever memory or addresses change while it runs.
 */
import type { VhostVringAddr } from "../../../generated/vhost/uapi.js";
import { VhostVringFlags } from "../../../generated/vhost/uapi.js";
import { VIRTQ_USED_ELEM_SIZE } from "../../../generated/virtio/ring.js";
import {
  type DescriptorChain,
  type DeviceQueue,
  GuestMemory,
  PackedDeviceQueue,
  QUEUE_START,
  type QueueFeatures,
  type QueuePlace,
  type QueuePosition,
  type QueueState,
  RingFault,
  SplitDeviceQueue,
} from "../../device/index.js";
import { NO_VECTOR } from "../../device/member/device-state.js";
import type { DirtyLog } from "../../streams/index.js";
import type { Descriptor } from "../system/index.js";
import { PackedInflight } from "./inflight/packed.js";
import { SplitInflight } from "./inflight/split.js";
import type { MemoryTable } from "./memory-table.js";
import { Refusal } from "./refusal.js";
import { RingLog } from "./ring-log.js";

const MAX_SIZE = 32768;

/** What all rings of a device have in common when they are opened. */
export interface RingSurroundings {
  readonly table: Pick<MemoryTable, "guestAddressOf">;
  readonly memory: GuestMemory;
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  /** Where writes to guest memory are logged; undefined: nowhere. */
  readonly log: DirtyLog | undefined;
  readonly onMissed: (address: number) => void;
}

export class Vring {
  readonly index: number;
  /** The largest size that the device type has thought of; a front-end may use another. */
  size: number;
  enabled = false;
  /** From VHOST_USER_SET_VRING_KICK to VHOST_USER_GET_VRING_BASE. */
  started = false;
  /** It has been open since it was started. */
  isKnown = false;
  /** The driver has broken it: it stays closed until the front-end stops it. */
  isBroken = false;
  /** Heads of the buffers that the device had taken where its state comes from. */
  inherited: readonly number[] = [];
  /** Where it goes on, when it is not open. */
  position: QueuePosition = QUEUE_START;
  addresses: VhostVringAddr | undefined;
  inflight: SplitInflight | PackedInflight | undefined;
  ring: DeviceQueue | undefined;
  kick: Descriptor | undefined;
  call: Descriptor | undefined;
  error: Descriptor | undefined;
  /** Guest-physical places of the time when it was open: for a state that is saved afterwards. */
  private latest: QueuePlace | undefined;

  constructor(index: number, size: number) {
    this.index = index;
    this.size = size;
  }

  /** @throws RangeError */
  setSize(size: number): void {
    if (size === 0 || size > MAX_SIZE) throw new RangeError(`a virtqueue of ${size} descriptors`);
    this.size = size;
  }

  /**
   * Opens the ring where it stands. Gives the buffers that a predecessor had taken: they are to be served again.
   * @throws RingFault when it cannot lie there; Refusal when the inflight region is not for it
   */
  open(surroundings: RingSurroundings): DescriptorChain[] {
    this.settle();
    const { addresses } = this;
    if (addresses === undefined) return [];
    const { table, packed, log, onMissed } = surroundings;
    const place: QueuePlace = {
      size: this.size,
      descriptorArea: placeOf(table, addresses.descUserAddr),
      driverArea: placeOf(table, addresses.availUserAddr),
      deviceArea: placeOf(table, addresses.usedUserAddr),
    };
    // Observers of its own: what it writes is logged where it wants it.
    const memory = new GuestMemory(surroundings.memory.regions);
    if (log !== undefined) {
      const logged = (addresses.flags & VhostVringFlags.VHOST_VRING_F_LOG) !== 0;
      const used = {
        from: place.deviceArea,
        // A head and an event index together are shorter than an element.
        length: (this.size + 1) * VIRTQ_USED_ELEM_SIZE,
        to: logged ? addresses.logGuestAddr : undefined,
      };
      memory.observe(new RingLog(log, used, onMissed));
    }
    this.latest = place;
    return packed
      ? this.openPacked(memory, place, surroundings)
      : this.openSplit(memory, place, surroundings);
  }

  private openPacked(memory: GuestMemory, place: QueuePlace, features: QueueFeatures): DescriptorChain[] {
    const { inflight } = this;
    if (inflight === undefined) {
      this.ring = new PackedDeviceQueue(memory, place, features, this.position);
      return [];
    }
    if (!(inflight instanceof PackedInflight)) throw new Refusal("an inflight region of split virtqueues");
    // The front-end cannot know where a predecessor stood: a packed ring does not show it.
    const { position, buffers } = inflight.begin(this.size, this.position, (slot, wrap) =>
      PackedDeviceQueue.isAvailableIn(memory, place, slot, wrap),
    );
    const ring = new PackedDeviceQueue(memory, place, features, position, true);
    this.ring = ring;
    return buffers.map(({ id, descriptors }) => ring.reopen(id, descriptors));
  }

  private openSplit(memory: GuestMemory, place: QueuePlace, features: QueueFeatures): DescriptorChain[] {
    const { inflight } = this;
    if (inflight !== undefined && !(inflight instanceof SplitInflight)) {
      throw new Refusal("an inflight region of packed virtqueues");
    }
    const { used } = SplitDeviceQueue.positionIn(memory, place);
    const left = inflight?.begin(this.size, used);
    // What a predecessor has left decides where to go on: the front-end cannot know it.
    const available = left === undefined ? this.position.available : (used + left.length) & 0xffff;
    const ring = new SplitDeviceQueue(memory, place, features, { ...QUEUE_START, available, used });
    this.ring = ring;
    const heads = left ?? this.inherited;
    this.inherited = [];
    return heads.map((head) => ring.reopen(head));
  }

  take(): DescriptorChain | undefined {
    const chain = this.ring?.take();
    if (chain !== undefined) this.inflight?.took(chain);
    return chain;
  }

  give(chain: DescriptorChain, more: boolean): void {
    const { ring, inflight } = this;
    if (ring === undefined) return;
    if (inflight === undefined) {
      ring.give(chain, more);
      return;
    }
    // One by one: the region tells of a single buffer whether the used index shows it.
    inflight.using(chain.id);
    ring.give(chain);
    inflight.usedBy(chain.id, ring.position.used);
  }

  /** Closes the ring and keeps where it stands. All buffers have been given back. */
  settle(): void {
    if (this.ring === undefined) return;
    this.position = this.ring.position;
    this.ring = undefined;
  }

  /** Nobody kicks any more. */
  stop(): void {
    this.settle();
    this.started = false;
    this.isKnown = false;
    this.isBroken = false;
    this.kick?.close();
    this.kick = undefined;
  }

  /** Lets go of everything. */
  close(): void {
    this.stop();
    this.call?.close();
    this.error?.close();
  }

  /** As a state tells it: the places are those where it was open last. */
  save(): QueueState {
    const { latest, ring, addresses } = this;
    return {
      size: this.size,
      // Interrupts go through an eventfd here.
      msixVector: NO_VECTOR,
      enabled: latest !== undefined,
      descriptorArea: BigInt(latest?.descriptorArea ?? 0),
      driverArea: BigInt(latest?.driverArea ?? 0),
      deviceArea: BigInt(latest?.deviceArea ?? 0),
      standing: addresses && (ring?.position ?? this.position),
      owned: (ring?.owned ?? []).map((id) => ({ id })),
    };
  }
}

/** @throws RingFault when no region holds the address. */
function placeOf(table: RingSurroundings["table"], userAddress: bigint): number {
  const address = table.guestAddressOf(userAddress);
  if (address === undefined) {
    throw new RingFault("address", `no memory region holds the user address 0x${userAddress.toString(16)}`);
  }
  return Number(address);
}
