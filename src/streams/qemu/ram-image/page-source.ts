/** How the pages of a compressed multifd channel come out of it. */
import type { MultifdRamPacket } from "../../../../generated/qemu/multifd.js";
import type { Fault } from "../../../runtime/index.js";
import type { MultifdPagesEvent } from "../multifd-events.js";

/** Takes packets with pages, each with its data, and gives the pages to a target. */
export interface PageSource {
  packet(event: MultifdPagesEvent): void;
  /** Lent. */
  data(bytes: Uint8Array): void;
  /** The input is over. */
  end(): void;
}

export interface PageTarget {
  /** Page `ordinal` of the channel, the one at `place` of a packet's pages. `bytes` are lent. */
  page(ordinal: number, packet: MultifdRamPacket, place: number, bytes: Uint8Array): void;
  /** Pages cannot be unpacked: what is wrong at an offset of the channel. */
  wrong(path: string, at: number, detail: string): void;
  fault(fault: Fault): void;
}
