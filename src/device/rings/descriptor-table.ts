/**
 * Descriptors in guest memory, in the form that costs least: a field is read at the offset that the schema's walk gives,
 * into an object that is there already. A value for each descriptor, with its address as a bigint, takes five times as long.
 */
import {
  PVIRTQ_DESC_SIZE,
  VIRTQ_DESC_SIZE,
  walkPvirtqDesc,
  walkVirtqDesc,
} from "../../../generated/virtio/ring.js";
import { Reader } from "../../runtime/index.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { fieldOffsets, offsetOf } from "./places.js";

/** Where the fields of a descriptor lie. */
export interface DescriptorLayout {
  readonly size: number;
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  /** What tells it from others: the next descriptor (split), the id of its buffer (packed). */
  readonly tail: number;
}

const SPLIT = fieldOffsets((visitor) => walkVirtqDesc(new Reader(new Uint8Array(VIRTQ_DESC_SIZE)), visitor));
const PACKED = fieldOffsets((visitor) =>
  walkPvirtqDesc(new Reader(new Uint8Array(PVIRTQ_DESC_SIZE)), visitor),
);

export const SPLIT_DESCRIPTOR: DescriptorLayout = {
  size: VIRTQ_DESC_SIZE,
  address: offsetOf(SPLIT, "addr"),
  length: offsetOf(SPLIT, "len"),
  flags: offsetOf(SPLIT, "flags"),
  tail: offsetOf(SPLIT, "next"),
};

export const PACKED_DESCRIPTOR: DescriptorLayout = {
  size: PVIRTQ_DESC_SIZE,
  address: offsetOf(PACKED, "addr"),
  length: offsetOf(PACKED, "len"),
  flags: offsetOf(PACKED, "flags"),
  tail: offsetOf(PACKED, "id"),
};

const HALF_BYTES = Uint32Array.BYTES_PER_ELEMENT;
const HALF = 2 ** 32;
const LITTLE = true;

export class DescriptorTable {
  /** The descriptor that was loaded last. Addresses from 2^53 on are not exact, and in no memory. */
  address = 0;
  length = 0;
  flags = 0;
  tail = 0;
  private readonly layout: DescriptorLayout;
  private view: DataView = NO_MEMORY;
  private start = 0;

  constructor(layout: DescriptorLayout) {
    this.layout = layout;
  }

  /**
   * Turns to a table of `length` bytes.
   * @throws GuestAddressError when it is not in one region.
   */
  aim(memory: GuestMemory, address: number, length: number): this {
    const { view, guestAddress } = memory.regionOf(address, length);
    this.view = view;
    this.start = address - guestAddress;
    return this;
  }

  /** Reads each field once: what is checked afterwards is what is used, whatever the guest does meanwhile. */
  load(index: number): void {
    const { view, layout } = this;
    const at = this.start + index * layout.size;
    this.address =
      view.getUint32(at + layout.address + HALF_BYTES, LITTLE) * HALF +
      view.getUint32(at + layout.address, LITTLE);
    this.length = view.getUint32(at + layout.length, LITTLE);
    this.flags = view.getUint16(at + layout.flags, LITTLE);
    this.tail = view.getUint16(at + layout.tail, LITTLE);
  }

  /** What a used descriptor of a packed ring says, but for its flags: its address means nothing then. */
  storeUsed(index: number, id: number, length: number): void {
    const { view, layout } = this;
    const at = this.start + index * layout.size;
    view.setUint32(at + layout.length, length, LITTLE);
    view.setUint16(at + layout.tail, id, LITTLE);
  }
}

const NO_MEMORY = new DataView(new ArrayBuffer(0));
