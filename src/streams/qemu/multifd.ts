/**
 * A push parser for one multifd channel: packets of pages, SYNC packets, and packets of device state.
 *
 * The packets do not say how long they are: their length follows from the size of a target page, which the first packet
 * with pages tells. When SYNC packets come first, it is tried which size puts the next packet where one begins.
 *
 * Memory: one head of a packet, at most 6.4 KiB, besides one chunk. Contents of pages are passed over, or lent.
 */
import {
  MULTIFD_MAGIC,
  MULTIFD_PACKET_SIZE,
  MultifdFlag,
  type MultifdRamPacket,
  readMultifdDeviceStatePacket,
  readMultifdInit,
  readMultifdPacketHeader,
  readMultifdPageSizes,
  readMultifdRamPacket,
  readMultifdRamPacketStart,
  scanMultifdDeviceStatePacket,
  scanMultifdInit,
  scanMultifdPacketHeader,
  scanMultifdPageSizes,
  scanMultifdRamPacket,
  scanMultifdRamPacketStart,
} from "../../../generated/qemu/multifd.js";
import { readVfioDeviceStatePacket, scanVfioDeviceStatePacket } from "../../../generated/qemu/vfio.js";
import type { Fault, FaultCode, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { inSteps, Window } from "../window.js";
import type { MultifdCompression, MultifdEvent } from "./multifd-events.js";
import { brokenLength, MultifdRules } from "./multifd-rules.js";

const SCHEMA = "qemu/multifd.wire";
const MAGIC_BYTE = MULTIFD_MAGIC >>> 24;
/** Pages in a packet, for target pages of 64 KiB down to 1 KiB. In this order a size that is too small shows at once. */
const PAGE_COUNTS = [8, 16, 32, 64, 128, 256, 512];

const COMPRESSIONS: ReadonlyMap<number, MultifdCompression> = new Map([
  [0, "none"],
  [MultifdFlag.MULTIFD_FLAG_ZLIB, "zlib"],
  [MultifdFlag.MULTIFD_FLAG_ZSTD, "zstd"],
  [MultifdFlag.MULTIFD_FLAG_QPL, "qpl"],
  [MultifdFlag.MULTIFD_FLAG_UADK, "uadk"],
  [MultifdFlag.MULTIFD_FLAG_QATZIP, "qatzip"],
]);
const COMPRESSION_MASK = [...COMPRESSIONS.keys()].reduce((mask, flag) => mask | flag, 0);

export interface MultifdOptions {
  /** Is lent the contents behind the packet reported last, piece by piece. */
  readonly data?: ((bytes: Uint8Array) => void) | undefined;
}

export class MultifdParser {
  private readonly listener: (event: MultifdEvent) => void;
  private readonly data: ((bytes: Uint8Array) => void) | undefined;
  private readonly window = new Window();
  private readonly parse = inSteps((reader) => this.step(reader));
  private mode: "init" | "packet" | "data" | "resync" = "init";
  /** Pages in a packet. */
  private pageCount: number | undefined;
  private index = 0;
  private left = 0;
  private gapAt = 0;
  private readonly rules = new MultifdRules();
  /** Nothing has been sent that a SYNC has yet to end. */
  private settled = false;
  private ended = false;

  constructor(listener: (event: MultifdEvent) => void, options: MultifdOptions = {}) {
    this.listener = listener;
    this.data = options.data;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, this.parse);
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish(this.parse);
    if (!this.settled && this.mode === "packet") {
      this.wrong(
        "truncated",
        `packets[${this.index}]`,
        this.window.at,
        "the input ends without a SYNC packet",
      );
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
    const tableAt = reader.at;
    reader.at = bodyAt;
    const packet = readMultifdRamPacket(reader, pageCount);
    const start = reader.base + at;
    const pageSize = MULTIFD_PACKET_SIZE / pageCount;
    const compression = COMPRESSIONS.get(flags & COMPRESSION_MASK);
    const lengths = this.lengths(reader, at, tableAt, packet, pageSize, compression, path);
    if (typeof lengths === "number") {
      reader.at = at;
      return lengths;
    }
    const end = lengths === undefined ? tableAt : reader.at;
    // QEMU before 9.0 leaves the size of the packet before in SYNC packets, and sends nothing.
    const dataSize = packet.normalPages > 0 ? packet.nextPacketSize - (end - tableAt) : 0;
    const sync = (flags & MultifdFlag.MULTIFD_FLAG_SYNC) !== 0;
    for (const { field, detail } of this.rules.broken(packet, compression, pageSize)) {
      this.wrong("constraint", `${path}.${field}`, start, detail);
    }
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
      lengths,
    });
    this.settled = sync;
    reader.at = end;
    this.enter(dataSize);
    return 0;
  }

  /**
   * How long the compressed pages behind a packet are, where that is told; a number: so many bytes, from `at` on, are
   * needed. The cursor is left where the pages begin.
   */
  private lengths(
    reader: Reader,
    at: number,
    from: number,
    packet: MultifdRamPacket,
    pageSize: number,
    compression: MultifdCompression | undefined,
    path: string,
  ): readonly number[] | number | undefined {
    const { normalPages } = packet;
    if (normalPages === 0 || (compression !== "qpl" && compression !== "uadk")) return undefined;
    const wanted = this.scanData(reader, at, from, packet.nextPacketSize, `${path}.data`, (inside) =>
      scanMultifdPageSizes(inside, normalPages),
    );
    if (wanted !== 0) return wanted;
    reader.at = from;
    const { length } = readMultifdPageSizes(reader, normalPages);
    const broken = brokenLength(length, reader.at - from, packet, pageSize);
    if (broken === undefined) return length;
    this.wrong("constraint", `${path}.${broken.field}`, reader.base + from, broken.detail);
    return undefined;
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
    const wanted = this.scanData(reader, at, from, size, `${path}.data`, scanVfioDeviceStatePacket);
    if (wanted !== 0) return wanted;
    reader.at = from;
    const { idx, flags } = readVfioDeviceStatePacket(reader);
    return { idx, flags };
  }

  /**
   * Scans the beginning of the `size` bytes of data behind a packet. 0: it is sound. A number: so many bytes, from `at` on,
   * are needed. Undefined: it is not, and that has been reported.
   */
  private scanData(
    reader: Reader,
    at: number,
    from: number,
    size: number,
    path: string,
    scan: (reader: Reader) => boolean,
  ): number | undefined {
    const { end } = reader;
    const whole = size <= end - from;
    reader.at = from;
    if (whole) reader.end = from + size;
    const sound = scan(reader);
    reader.end = end;
    if (sound) return 0;
    const fault = under(path, reader.fault as Fault);
    if (fault.code === "truncated" && !whole && !this.ended) return reader.wanted - at;
    this.fault(fault);
    return undefined;
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
