/** What a multifd channel is found to hold. */
import type {
  MultifdDeviceStatePacket,
  MultifdInit,
  MultifdRamPacket,
} from "../../../generated/qemu/multifd.js";
import type { Fault } from "../../runtime/index.js";

export type MultifdCompression = "none" | "zlib" | "zstd" | "qpl" | "uadk" | "qatzip";

export type MultifdEvent =
  | MultifdInitEvent
  | MultifdPagesEvent
  | MultifdDeviceStateEvent
  /** Bytes that cannot be read, up to the next packet. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

export interface MultifdInitEvent {
  readonly kind: "init";
  readonly at: number;
  readonly size: number;
  /** Lent until the listener returns. */
  readonly bytes: Uint8Array;
  readonly init: MultifdInit;
}

interface PacketPlace {
  readonly index: number;
  readonly at: number;
  /** Header and head; what stands behind it is not counted. */
  readonly size: number;
  /** Header and head. Lent until the listener returns. */
  readonly bytes: Uint8Array;
  /** Where the contents begin, and how many bytes they take. */
  readonly dataAt: number;
  readonly dataSize: number;
}

/** The head of a packet of pages is complete. */
export interface MultifdPagesEvent extends PacketPlace {
  readonly kind: "pages";
  readonly sync: boolean;
  readonly compression: MultifdCompression;
  readonly packet: MultifdRamPacket;
  readonly pageSize: number;
  /**
   * Bytes that each page with contents takes, where each is compressed by itself (QPL, UADK). They are part of the head, and
   * undefined when they do not add up.
   */
  readonly lengths: readonly number[] | undefined;
}

/** The head of a packet of device state is complete. */
export interface MultifdDeviceStateEvent extends PacketPlace {
  readonly kind: "device-state";
  readonly packet: MultifdDeviceStatePacket;
  /** Of a VFIO device: the place of the packet in its sequence, and whether it holds the configuration. */
  readonly vfio: { readonly idx: number; readonly flags: number } | undefined;
}
