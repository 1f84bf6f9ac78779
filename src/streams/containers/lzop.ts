/**
 * A push parser for files of lzop, that unpacks them block by block and checks every checksum that they have.
 *
 * Memory: a block, packed and unpacked. lzop makes blocks of 256 KiB; a file may claim 64 MiB, and gets that much as far as
 * it has the bytes.
 */
import {
  type LzopBlock,
  LzopFlag,
  readLzopBlock,
  readLzopChecksum,
  readLzopHeader,
  scanLzopBlock,
  scanLzopChecksum,
  scanLzopExtraField,
  scanLzopHeader,
  scanLzopMagic,
} from "../../../generated/capture/lzop.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { adler32, crc32 } from "../checksums.js";
import { streamFault, under } from "../faults.js";
import { inSteps, Window } from "../window.js";
import { unpackLzo1x } from "./lzo1x.js";

const SCHEMA = "capture/lzop.wire";

export interface LzopHandler {
  /** Lent until the handler returns. */
  data(bytes: Uint8Array): void;
  /** Once: nothing that comes after it is read. What was unpacked before is sound. */
  fault(fault: Fault): void;
}

export class LzopParser {
  private readonly handler: LzopHandler;
  private readonly window = new Window();
  private readonly parse = inSteps((reader) => this.step(reader));
  private mode: "start" | "member" | "block" | "failed" = "start";
  private flags = 0;
  private members = 0;
  private blocks = 0;
  private unpacked = new Uint8Array(0);
  private ended = false;

  constructor(handler: LzopHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, this.parse);
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish(this.parse);
  }

  /** Makes progress and returns 0, or says how many bytes it needs. */
  private step(reader: Reader): number {
    switch (this.mode) {
      case "start":
        return this.header(reader);
      case "member":
        // Another may follow, or none.
        return reader.at === reader.end ? 1 : this.header(reader);
      case "block":
        return this.block(reader);
      case "failed":
        reader.at = reader.end;
        return 1;
    }
  }

  private header(reader: Reader): number {
    const { at } = reader;
    const path = `members[${this.members}].header`;
    if (!scanLzopMagic(reader)) return this.unreadable(reader, at, path);
    const from = reader.at;
    if (!scanLzopHeader(reader)) return this.unreadable(reader, at, path);
    const to = reader.at;
    reader.at = from;
    const { flags } = readLzopHeader(reader);
    const checksum = flags & LzopFlag.LZOP_F_H_CRC32 ? crc32 : adler32;
    const behind = this.checksum(reader, at, from, to, checksum, path);
    if (behind !== 0) return behind;
    if (flags & LzopFlag.LZOP_F_H_EXTRA_FIELD) {
      const extraAt = reader.at;
      if (!scanLzopExtraField(reader)) return this.unreadable(reader, at, `${path}.extra_field`);
      const wrong = this.checksum(reader, at, extraAt, reader.at, checksum, `${path}.extra_field`);
      if (wrong !== 0) return wrong;
    }
    if (flags & LzopFlag.LZOP_F_H_FILTER) {
      const detail = "its blocks went through a filter of lzop, which is not undone here";
      return this.wrong(reader, `${path}.flags`, reader.base + from, detail);
    }
    this.flags = flags;
    this.members++;
    this.blocks = 0;
    this.mode = "block";
    return 0;
  }

  /** Checks what stands between two places by what follows it, and moves behind. Gives what `step` gives. */
  private checksum(
    reader: Reader,
    at: number,
    from: number,
    to: number,
    of: (bytes: Uint8Array) => number,
    path: string,
  ): number {
    reader.at = to;
    if (!scanLzopChecksum(reader)) return this.unreadable(reader, at, `${path}.checksum`);
    reader.at = to;
    const { value } = readLzopChecksum(reader);
    const found = of(reader.bytes.subarray(from, to));
    return found === value ? 0 : this.differs(reader, `${path}.checksum`, reader.base + to, found, value);
  }

  private block(reader: Reader): number {
    const { at } = reader;
    const path = `members[${this.members - 1}].blocks[${this.blocks}]`;
    if (!scanLzopBlock(reader, this.flags)) return this.unreadable(reader, at, path);
    reader.at = at;
    const block = readLzopBlock(reader, this.flags);
    const { dstLen, data } = block;
    if (dstLen === 0 || data === undefined) {
      this.mode = "member";
      return 0;
    }
    this.blocks++;
    const start = reader.base + at;
    let content = data;
    if (data.length < dstLen) {
      const packed = differing(block.adler32C, block.crc32C, data);
      if (packed !== undefined)
        return this.differs(reader, `${path}.${packed.name}_c`, start, ...packed.values);
      if (this.unpacked.length < dstLen) this.unpacked = new Uint8Array(dstLen);
      content = this.unpacked.subarray(0, dstLen);
      const detail = unpackLzo1x(data, content);
      if (detail !== undefined) return this.wrong(reader, `${path}.data`, start, detail);
    }
    const plain = differing(block.adler32D, block.crc32D, content);
    if (plain !== undefined) return this.differs(reader, `${path}.${plain.name}_d`, start, ...plain.values);
    this.handler.data(content);
    return 0;
  }

  /** After a scan that failed: waits for more, or gives up. */
  private unreadable(reader: Reader, at: number, path: string): number {
    const fault = under(path, reader.fault as Fault);
    const wanted = reader.wanted - at;
    reader.at = at;
    if (fault.code === "truncated" && !this.ended) return wanted;
    return this.fail(reader, fault);
  }

  private differs(reader: Reader, path: string, at: number, found: number, said: number): number {
    const detail = `the checksum is 0x${found.toString(16)}, the file says 0x${said.toString(16)}`;
    return this.wrong(reader, path, at, detail);
  }

  private wrong(reader: Reader, path: string, at: number, detail: string): number {
    return this.fail(reader, streamFault(SCHEMA, "constraint", path, at, detail));
  }

  private fail(reader: Reader, fault: Fault): number {
    this.mode = "failed";
    reader.at = reader.end;
    this.handler.fault(fault);
    return 1;
  }
}

interface Difference {
  readonly name: "adler32" | "crc32";
  readonly values: readonly [found: number, said: number];
}

/** The first of the checksums that there are which is not that of the bytes. */
function differing(
  adler: LzopBlock["adler32D"],
  crc: LzopBlock["crc32D"],
  bytes: Uint8Array,
): Difference | undefined {
  if (adler !== undefined) {
    const found = adler32(bytes);
    if (found !== adler) return { name: "adler32", values: [found, adler] };
  }
  if (crc !== undefined) {
    const found = crc32(bytes);
    if (found !== crc) return { name: "crc32", values: [found, crc] };
  }
  return undefined;
}
