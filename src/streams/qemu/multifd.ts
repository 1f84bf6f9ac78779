/**
 * A push parser for one multifd channel: packets of pages, SYNC packets, and packets of device state.
 *
 * The packets do not say how long they are: their length follows from the size of a target page, which the first packet
 * with pages tells. When SYNC packets come first, it is tried which size puts the next packet where one begins.
 *
 * Memory: one head of a packet, at most 4.4 KiB, besides one chunk. Contents of pages are passed over, or lent.
 */
import {
  MULTIFD_MAGIC,
  MULTIFD_PACKET_SIZE,
  type MultifdDeviceStatePacket,
  MultifdFlag,
  type MultifdInit,
  type MultifdRamPacket,
  readMultifdDeviceStatePacket,
  readMultifdInit,
  readMultifdPacketHeader,
  readMultifdRamPacket,
  readMultifdRamPacketStart,
  scanMultifdDeviceStatePacket,
  scanMultifdInit,
  scanMultifdPacketHeader,
  scanMultifdRamPacket,
  scanMultifdRamPacketStart,
} from "../../../generated/qemu/multifd.js";
import { readVfioDeviceStatePacket, scanVfioDeviceStatePacket } from "../../../generated/qemu/vfio.js";
import type { Fault, FaultCode, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { Window } from "../window.js";

const SCHEMA = "qemu/multifd.wire";
const MAGIC_BYTE = MULTIFD_MAGIC >>> 24;
/** Pages in a packet, for target pages of 64 KiB down to 1 KiB. In this order a size that is too small shows at once. */
const PAGE_COUNTS = [8, 16, 32, 64, 128, 256, 512];

export type MultifdCompression = "none" | "zlib" | "zstd" | "qpl" | "uadk" | "qatzip";

const COMPRESSIONS: ReadonlyMap<number, MultifdCompression> = new Map([
  [0, "none"],
  [MultifdFlag.MULTIFD_FLAG_ZLIB, "zlib"],
  [MultifdFlag.MULTIFD_FLAG_ZSTD, "zstd"],
  [MultifdFlag.MULTIFD_FLAG_QPL, "qpl"],
  [MultifdFlag.MULTIFD_FLAG_UADK, "uadk"],
  [MultifdFlag.MULTIFD_FLAG_QATZIP, "qatzip"],
]);
const COMPRESSION_MASK = [...COMPRESSIONS.keys()].reduce((mask, flag) => mask | flag, 0);

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
}

/** The head of a packet of device state is complete. */
export interface MultifdDeviceStateEvent extends PacketPlace {
  readonly kind: "device-state";
  readonly packet: MultifdDeviceStatePacket;
  /** Of a VFIO device: the place of the packet in its sequence, and whether it holds the configuration. */
  readonly vfio: { readonly idx: number; readonly flags: number } | undefined;
}

export interface MultifdOptions {
  /** Is lent the contents behind the packet reported last, piece by piece. */
  readonly data?: ((bytes: Uint8Array) => void) | undefined;
}

export class MultifdParser {
  private readonly listener: (event: MultifdEvent) => void;
  private readonly data: ((bytes: Uint8Array) => void) | undefined;
  private readonly window = new Window();
  private mode: "init" | "packet" | "data" | "resync" = "init";
  /** Pages in a packet. */
  private pageCount: number | undefined;
  private index = 0;
  private left = 0;
  private gapAt = 0;
  private packetNum = -1;
  private compression: MultifdCompression | undefined;
  /** Nothing has been sent that a SYNC has yet to end. */
  private settled = false;
  private ended = false;

  constructor(listener: (event: MultifdEvent) => void, options: MultifdOptions = {}) {
    this.listener = listener;
    this.data = options.data;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    if (!this.settled && this.mode === "packet") {
      this.wrong(
        "truncated",
        `packets[${this.index}]`,
        this.window.at,
        "the input ends without a SYNC packet",
      );
    }
  }

  private parse(reader: Reader): number {
    while (true) {
      const wanted = this.step(reader);
      if (wanted > 0) return wanted;
    }
  }

  /** Makes progress and returns 0, or says how many bytes it needs. */
  private step(reader: Reader): number {
    switch (this.mode) {
      case "init":
        return this.init(reader);
      case "packet":
        return this.packet(reader);
      case "data":
        return this.contents(reader);
      case "resync":
        return this.resync(reader);
    }
  }

  private init(reader: Reader): number {
    const at = reader.at;
    if (!scanMultifdInit(reader)) return this.unreadable(reader, at, "init");
    const bytes = reader.bytes.subarray(at, reader.at);
    reader.at = at;
    const { uuid, ...rest } = readMultifdInit(reader);
    const init = { ...rest, uuid: uuid.slice() };
    this.listener({ kind: "init", at: reader.base + at, size: bytes.length, bytes, init });
    this.mode = "packet";
    return 0;
  }

  private packet(reader: Reader): number {
    const at = reader.at;
    if (at === reader.end) return 1;
    const path = `packets[${this.index}]`;
    if (!scanMultifdPacketHeader(reader)) return this.unreadable(reader, at, path);
    const bodyAt = reader.at;
    reader.at = at;
    const { flags } = readMultifdPacketHeader(reader);
    if (flags & MultifdFlag.MULTIFD_FLAG_DEVICE_STATE)
      return this.deviceState(reader, at, bodyAt, flags, path);
    if (this.pageCount === undefined) {
      const wanted = this.learn(reader, at, bodyAt, path);
      if (wanted !== 0) return Math.max(0, wanted);
    }
    return this.pages(reader, at, bodyAt, flags, path);
  }

  private pages(reader: Reader, at: number, bodyAt: number, flags: number, path: string): number {
    const pageCount = this.pageCount as number;
    reader.at = bodyAt;
    if (!scanMultifdRamPacket(reader, pageCount)) return this.unreadable(reader, at, path);
    const end = reader.at;
    reader.at = bodyAt;
    const packet = readMultifdRamPacket(reader, pageCount);
    const start = reader.base + at;
    const pageSize = MULTIFD_PACKET_SIZE / pageCount;
    // QEMU before 9.0 leaves the size of the packet before in SYNC packets, and sends nothing.
    const dataSize = packet.normalPages > 0 ? packet.nextPacketSize : 0;
    const sync = (flags & MultifdFlag.MULTIFD_FLAG_SYNC) !== 0;
    const compression = COMPRESSIONS.get(flags & COMPRESSION_MASK);
    if (compression === undefined) {
      this.wrong("constraint", `${path}.flags`, start, "more than one kind of compression");
    }
    this.check(packet, compression, pageSize, path, start);
    this.listener({
      kind: "pages",
      index: this.index,
      at: start,
      size: end - at,
      bytes: reader.bytes.subarray(at, end),
      dataAt: reader.base + end,
      dataSize,
      sync,
      compression: compression ?? "none",
      packet,
      pageSize,
    });
    this.settled = sync;
    this.enter(dataSize);
    return 0;
  }

  /** What the fields of a packet of pages must be to one another, and to those of the packets before. */
  private check(
    packet: MultifdRamPacket,
    compression: MultifdCompression | undefined,
    pageSize: number,
    path: string,
    at: number,
  ): void {
    const { normalPages, zeroPages, nextPacketSize, packetNum } = packet;
    if (packetNum < this.packetNum) {
      this.wrong("constraint", `${path}.packet_num`, at, `${packetNum} behind ${this.packetNum}`);
    }
    this.packetNum = packetNum;
    if (normalPages > 0) {
      this.compression ??= compression;
      if (compression !== this.compression) {
        const detail = `compression ${compression} on a channel of ${this.compression}`;
        this.wrong("constraint", `${path}.flags`, at, detail);
      }
      const fits = compression === "none" ? nextPacketSize === normalPages * pageSize : nextPacketSize > 0;
      if (!fits) {
        const detail = `${nextPacketSize} bytes behind a packet of ${normalPages} pages with contents`;
        this.wrong("constraint", `${path}.next_packet_size`, at, detail);
      }
    }
    const used = normalPages + zeroPages;
    if (used === 0) return;
    if (packet.ramblock === "") this.wrong("constraint", `${path}.ramblock`, at, "pages of no block");
    const inside = packet.offset.findIndex((offset, i) => i < used && offset % pageSize !== 0);
    if (inside >= 0) {
      this.wrong("constraint", `${path}.offset[${inside}]`, at, "the offset is inside a page");
    }
  }

  private deviceState(reader: Reader, at: number, bodyAt: number, flags: number, path: string): number {
    reader.at = bodyAt;
    if (!scanMultifdDeviceStatePacket(reader)) return this.unreadable(reader, at, path);
    const end = reader.at;
    reader.at = bodyAt;
    const packet = readMultifdDeviceStatePacket(reader);
    const start = reader.base + at;
    const isVfio = /(?:^|\/)vfio$/.test(packet.idstr);
    const vfio = isVfio ? this.vfioHead(reader, at, end, packet.nextPacketSize, path) : undefined;
    if (typeof vfio === "number") {
      reader.at = at;
      return vfio;
    }
    if (flags & MultifdFlag.MULTIFD_FLAG_SYNC) {
      this.wrong("constraint", `${path}.flags`, start, "SYNC on a packet of device state");
    }
    this.listener({
      kind: "device-state",
      index: this.index,
      at: start,
      size: end - at,
      bytes: reader.bytes.subarray(at, end),
      dataAt: reader.base + end,
      dataSize: packet.nextPacketSize,
      packet,
      vfio,
    });
    this.settled = true;
    reader.at = end;
    this.enter(packet.nextPacketSize);
    return 0;
  }

  /** The beginning of what a packet of a VFIO device carries; a number: so many bytes, from `at` on, are needed. */
  private vfioHead(
    reader: Reader,
    at: number,
    from: number,
    size: number,
    path: string,
  ): { readonly idx: number; readonly flags: number } | number | undefined {
    const { end } = reader;
    const whole = size <= end - from;
    reader.at = from;
    if (whole) reader.end = from + size;
    const sound = scanVfioDeviceStatePacket(reader);
    reader.end = end;
    if (!sound) {
      const fault = under(`${path}.data`, reader.fault as Fault);
      if (fault.code === "truncated" && !whole && !this.ended) return reader.wanted - at;
      this.fault(fault);
      return undefined;
    }
    reader.at = from;
    const { idx, flags } = readVfioDeviceStatePacket(reader);
    return { idx, flags };
  }

  /**
   * Learns how many pages a packet of this channel has room for. 0: it is known now. −1: the packet was refused. Else how many
   * bytes it takes to tell.
   */
  private learn(reader: Reader, at: number, bodyAt: number, path: string): number {
    reader.at = at;
    if (!scanMultifdRamPacketStart(reader)) return this.unreadable(reader, at, path) || -1;
    reader.at = at;
    const { pagesAlloc } = readMultifdRamPacketStart(reader);
    if (pagesAlloc > 0) {
      if (!PAGE_COUNTS.includes(pagesAlloc)) {
        const detail = `room for ${pagesAlloc} pages, which no size of a page gives`;
        this.wrong("constraint", `${path}.pages_alloc`, reader.base + at, detail);
        reader.at = at;
        return this.lost(reader) || -1;
      }
      this.pageCount = pagesAlloc;
      return 0;
    }
    for (const pageCount of PAGE_COUNTS) {
      reader.at = bodyAt;
      const whole = scanMultifdRamPacket(reader, pageCount);
      if (whole && scanMultifdPacketHeader(reader)) {
        this.pageCount = pageCount;
        return 0;
      }
      const wanted = reader.wanted - at;
      const short = reader.fault?.code === "truncated";
      if (short && !this.ended) {
        reader.at = at;
        return wanted;
      }
    }
    return this.unreadable(reader, at, path) || -1;
  }

  private enter(size: number): void {
    this.left = size;
    this.index++;
    this.mode = "data";
  }

  private contents(reader: Reader): number {
    const taken = Math.min(this.left, reader.end - reader.at);
    const bytes = reader.slice(taken);
    this.left -= taken;
    if (taken > 0) this.data?.(bytes);
    if (this.left === 0) {
      this.mode = "packet";
      return 0;
    }
    if (this.ended) {
      const path = `packets[${this.index - 1}].data`;
      const at = reader.base + reader.at;
      this.fault(streamFault(SCHEMA, "truncated", path, at, undefined, this.left, 0));
      return this.lost(reader);
    }
    return 1;
  }

  /** After a scan that failed: waits for more, or reports the fault and looks for the next packet. */
  private unreadable(reader: Reader, at: number, path: string): number {
    const fault = under(path, reader.fault as Fault);
    const wanted = reader.wanted - at;
    reader.at = at;
    if (fault.code === "truncated" && !this.ended) return wanted;
    this.fault(fault);
    return this.lost(reader);
  }

  private lost(reader: Reader): 0 {
    this.gapAt = reader.base + reader.at;
    // The next packet begins behind the one that cannot be read.
    if (reader.at < reader.end) reader.at++;
    this.mode = "resync";
    return 0;
  }

  private resync(reader: Reader): number {
    while (true) {
      const at = reader.bytes.indexOf(MAGIC_BYTE, reader.at);
      if (at < 0 || at >= reader.end) break;
      reader.at = at;
      const found = scanMultifdPacketHeader(reader);
      const wanted = reader.wanted - at;
      reader.at = at;
      if (found) {
        this.gap(reader.base + at);
        this.index++;
        this.mode = "packet";
        return 0;
      }
      if (reader.fault?.code === "truncated" && !this.ended) return wanted;
      reader.at = at + 1;
    }
    reader.at = reader.end;
    if (this.ended) this.gap(reader.base + reader.end);
    return 1;
  }

  private gap(end: number): void {
    if (end > this.gapAt) this.listener({ kind: "gap", at: this.gapAt, size: end - this.gapAt });
  }

  private wrong(code: FaultCode, path: string, at: number, detail: string): void {
    this.fault(streamFault(SCHEMA, code, path, at, detail));
  }

  private fault(fault: Fault): void {
    this.listener({ kind: "fault", fault });
  }
}
