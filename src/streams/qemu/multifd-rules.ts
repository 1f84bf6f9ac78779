/** What the fields of a multifd packet of pages must be to one another, and to those of the packets before. */
import type { MultifdRamPacket } from "../../../generated/qemu/multifd.js";
import type { MultifdCompression } from "./multifd-events.js";

export interface BrokenRule {
  /** Of the packet. */
  readonly field: string;
  readonly detail: string;
}

/** Of one channel, packet by packet. */
export class MultifdRules {
  private packetNum = -1;
  private compression: MultifdCompression | undefined;

  /** `compression` is undefined where the flags name several. */
  *broken(
    packet: MultifdRamPacket,
    compression: MultifdCompression | undefined,
    pageSize: number,
  ): Generator<BrokenRule> {
    const { normalPages, zeroPages, nextPacketSize, packetNum } = packet;
    if (compression === undefined) yield { field: "flags", detail: "more than one kind of compression" };
    if (packetNum < this.packetNum) {
      yield { field: "packet_num", detail: `${packetNum} behind ${this.packetNum}` };
    }
    this.packetNum = packetNum;
    if (normalPages > 0) {
      this.compression ??= compression;
      if (compression !== this.compression) {
        yield { field: "flags", detail: `compression ${compression} on a channel of ${this.compression}` };
      }
      const fits = compression === "none" ? nextPacketSize === normalPages * pageSize : nextPacketSize > 0;
      if (!fits) {
        const detail = `${nextPacketSize} bytes behind a packet of ${normalPages} pages with contents`;
        yield { field: "next_packet_size", detail };
      }
    }
    const used = normalPages + zeroPages;
    if (used === 0) return;
    if (packet.ramblock === "") yield { field: "ramblock", detail: "pages of no block" };
    const inside = packet.offset.findIndex((offset, i) => i < used && offset % pageSize !== 0);
    if (inside >= 0) yield { field: `offset[${inside}]`, detail: "the offset is inside a page" };
  }
}

/**
 * The lengths of pages that are compressed one by one: none is longer than a page, and with the table of `tableSize` bytes
 * they fill what follows the packet.
 */
export function brokenLength(
  lengths: readonly number[],
  tableSize: number,
  { nextPacketSize }: MultifdRamPacket,
  pageSize: number,
): BrokenRule | undefined {
  const bad = lengths.findIndex((length) => length === 0 || length > pageSize);
  if (bad >= 0) {
    return { field: `data.length[${bad}]`, detail: `${lengths[bad]} bytes for a page of ${pageSize}` };
  }
  const sum = lengths.reduce((total, length) => total + length, tableSize);
  if (sum === nextPacketSize) return undefined;
  const detail = `lengths and pages are ${sum} bytes, not the ${nextPacketSize} of next_packet_size`;
  return { field: "data.length", detail };
}
