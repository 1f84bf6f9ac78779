/**
 * What is particular to one kind of virtio device in QEMU's saved state. A device that is added here needs a schema of
 * its own part (schemas/qemu/virtio), a file in devices/, and a line in devices.ts.
 */
import type { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { Vmstate } from "./vmstate.js";

/** What is known of a saved device before its own part is read. */
export interface SavedDevice {
  readonly versionId: number;
  /** What the driver accepted, 128 bits. */
  readonly features: bigint;
  /** Device configuration, as the guest sees it: little-endian where `guestLittleEndian`. */
  readonly config: Uint8Array;
  readonly guestLittleEndian: boolean;
  /** Queues that the device has. */
  readonly queues: number;
  /** The device offers VIRTIO_F_RING_PACKED, whatever ring the driver uses. */
  readonly offersPacked: boolean;
  /** Order of what QEMU saves as it lies in its memory, of the host that is the likely one for this machine. */
  readonly hostLittleEndian: boolean;
}

export interface VirtioDevice {
  /**
   * The last parts of the section names that it has, e.g. `virtio-net` for `0000:00:02.0/virtio-net`. Several kinds
   * of back-end can share one.
   */
  readonly sections: readonly string[];
  readonly id: VirtioDeviceId;
  /** Its own part: what its `save` or its vmstate writes behind the queues. Undefined when there is none. */
  readonly own: ((saved: SavedDevice) => Vmstate) | undefined;
  /** Further fields that its section has behind `virtio`, by the names that the description gives them. */
  readonly behind?: readonly FieldBehind[];
  /** Structs that the description names and that have bytes of their own inside, by the names it gives their types. */
  readonly structs?: ReadonlyMap<string, (saved: SavedDevice) => Vmstate>;
  /** Subsections of the section, behind all fields. */
  readonly subsections?: readonly SubsectionBehind[];
}

export interface FieldBehind {
  readonly field: string;
  readonly state: (saved: SavedDevice) => Vmstate;
}

interface SubsectionBehind {
  readonly name: string;
  readonly state: (saved: SavedDevice) => Vmstate;
}
