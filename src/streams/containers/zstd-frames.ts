/**
 * A push parser for how a zstd file is built: its frames, their blocks, and the checksums behind them. Blocks are lent as
 * they are, for a decoder to unpack.
 *
 * Memory: a block, 128 KiB at most. Windows that a decoder would need more than 128 MiB for are refused.
 */
import {
  readZstdBlockHeader,
  readZstdContentChecksum,
  readZstdFrameHeader,
  readZstdMagic,
  readZstdSkippableHeader,
  scanZstdBlockHeader,
  scanZstdContentChecksum,
  scanZstdFrameHeader,
  scanZstdMagic,
  scanZstdSkippableHeader,
  ZSTD_MAGIC,
  ZSTD_MAX_BLOCK_SIZE,
  ZSTD_MAX_WINDOW_SIZE,
  ZSTD_WINDOW_LOG_MIN,
  ZstdBlockType,
  type ZstdFrameHeader,
} from "../../../generated/capture/zstd.js";
import type { Fault, FaultCode, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { inSteps, Window } from "../window.js";

const SCHEMA = "capture/zstd.wire";

export type ZstdEvent =
  | ZstdFrameEvent
  /** Header and content of a block. Lent until the listener returns. */
  | { readonly kind: "block"; readonly at: number; readonly bytes: Uint8Array }
  /** A frame ends. `checksum`: the low half of the XXH64 of what it unpacks to, where it has one. */
  | { readonly kind: "end"; readonly at: number; readonly checksum: number | undefined }
  /** Once: nothing that comes after it is read. */
  | { readonly kind: "fault"; readonly fault: Fault };

/** A frame begins. */
export interface ZstdFrameEvent {
  readonly kind: "frame";
  readonly at: number;
  /** Magic number and header. Lent until the listener returns. */
  readonly bytes: Uint8Array;
  /** What it unpacks to, in bytes, where it says so. */
  readonly contentSize: number | undefined;
}

export class ZstdFrames {
  private readonly listener: (event: ZstdEvent) => void;
  private readonly window = new Window();
  private readonly parse = inSteps((reader) => this.step(reader));
  private mode: "start" | "frame" | "block" | "checksum" | "skip" | "failed" = "start";
  private frames = 0;
  private blocks = 0;
  private hasChecksum = false;
  /** Of a frame that is passed over. */
  private left = 0;
  private ended = false;

  constructor(listener: (event: ZstdEvent) => void) {
    this.listener = listener;
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
        return this.frame(reader);
      case "frame":
        // Another may follow, or none.
        return reader.at === reader.end ? 1 : this.frame(reader);
      case "block":
        return this.block(reader);
      case "checksum":
        return this.checksum(reader);
      case "skip":
        return this.skip(reader);
      case "failed":
        reader.at = reader.end;
        return 1;
    }
  }

  private frame(reader: Reader): number {
    const { at } = reader;
    const path = `frames[${this.frames}]`;
    if (!scanZstdMagic(reader)) return this.unreadable(reader, at, `${path}.magic`);
    const headAt = reader.at;
    reader.at = at;
    const { value } = readZstdMagic(reader);
    if (value !== ZSTD_MAGIC) {
      if (!scanZstdSkippableHeader(reader)) return this.unreadable(reader, at, path);
      reader.at = headAt;
      this.left = readZstdSkippableHeader(reader).size;
      this.frames++;
      this.mode = "skip";
      return 0;
    }
    if (!scanZstdFrameHeader(reader)) return this.unreadable(reader, at, path);
    const { at: end } = reader;
    reader.at = headAt;
    const header = readZstdFrameHeader(reader);
    const contentSize = contentSizeOf(header);
    const refusal = refusalOf(header, contentSize);
    if (refusal !== undefined) {
      const [code, field, detail] = refusal;
      return this.wrong(reader, code, `${path}.${field}`, reader.base + headAt, detail);
    }
    this.hasChecksum = header.contentChecksumFlag !== 0;
    this.frames++;
    this.blocks = 0;
    this.mode = "block";
    this.listener({
      kind: "frame",
      at: reader.base + at,
      bytes: reader.bytes.subarray(at, end),
      contentSize,
    });
    return 0;
  }

  private block(reader: Reader): number {
    const { at } = reader;
    const path = `frames[${this.frames - 1}].blocks[${this.blocks}]`;
    if (!scanZstdBlockHeader(reader)) return this.unreadable(reader, at, path);
    reader.at = at;
    const { last, type, sizeLow, sizeHigh } = readZstdBlockHeader(reader);
    const claimed = sizeHigh * 32 + sizeLow;
    if (type > ZstdBlockType.ZSTD_BLOCK_COMPRESSED || claimed > ZSTD_MAX_BLOCK_SIZE) {
      const detail = `a block of type ${type} and ${claimed} bytes`;
      return this.wrong(reader, "constraint", path, reader.base + at, detail);
    }
    const size = type === ZstdBlockType.ZSTD_BLOCK_RLE ? 1 : claimed;
    const had = reader.end - reader.at;
    if (size > had) {
      const dataAt = reader.base + reader.at;
      reader.at = at;
      if (!this.ended) return dataAt - reader.base - at + size;
      return this.fail(reader, streamFault(SCHEMA, "truncated", path, dataAt, undefined, size, had));
    }
    reader.at += size;
    this.blocks++;
    if (last) this.mode = "checksum";
    this.listener({ kind: "block", at: reader.base + at, bytes: reader.bytes.subarray(at, reader.at) });
    return 0;
  }

  private checksum(reader: Reader): number {
    const { at } = reader;
    let checksum: number | undefined;
    if (this.hasChecksum) {
      const path = `frames[${this.frames - 1}].content_checksum`;
      if (!scanZstdContentChecksum(reader)) return this.unreadable(reader, at, path);
      reader.at = at;
      checksum = readZstdContentChecksum(reader).value;
    }
    this.mode = "frame";
    this.listener({ kind: "end", at: reader.base + at, checksum });
    return 0;
  }

  private skip(reader: Reader): number {
    const had = reader.end - reader.at;
    const taken = Math.min(this.left, had);
    reader.at += taken;
    this.left -= taken;
    if (this.left === 0) {
      this.mode = "frame";
      return 0;
    }
    if (!this.ended) return 1;
    const at = reader.base + reader.at;
    const path = `frames[${this.frames - 1}].data`;
    return this.fail(reader, streamFault(SCHEMA, "truncated", path, at, undefined, this.left, 0));
  }

  /** After a scan that failed: waits for more, or gives up. */
  private unreadable(reader: Reader, at: number, path: string): number {
    const fault = under(path, reader.fault as Fault);
    const wanted = reader.wanted - at;
    reader.at = at;
    if (fault.code === "truncated" && !this.ended) return wanted;
    return this.fail(reader, fault);
  }

  private wrong(reader: Reader, code: FaultCode, path: string, at: number, detail: string): number {
    return this.fail(reader, streamFault(SCHEMA, code, path, at, detail));
  }

  private fail(reader: Reader, fault: Fault): number {
    this.mode = "failed";
    reader.at = reader.end;
    this.listener({ kind: "fault", fault });
    return 1;
  }
}

/** What the size of the content counts from, where it has two bytes. */
const SHORT_SIZE_BASE = 256;

function contentSizeOf(header: ZstdFrameHeader): number | undefined {
  const { contentSize8, contentSize16, contentSize32, contentSize64 } = header;
  if (contentSize16 !== undefined) return contentSize16 + SHORT_SIZE_BASE;
  return contentSize8 ?? contentSize32 ?? contentSize64;
}

/** Why a frame cannot be unpacked, and the field that says so. */
function refusalOf(
  {
    reserved,
    windowExponent,
    windowMantissa,
    dictionaryId8,
    dictionaryId16,
    dictionaryId32,
  }: ZstdFrameHeader,
  contentSize: number | undefined,
): readonly [code: FaultCode, field: string, detail: string] | undefined {
  if ((reserved ?? 0) !== 0) return ["reserved", "reserved", "a bit is set that has no meaning"];
  const dictionary = dictionaryId8 ?? dictionaryId16 ?? dictionaryId32 ?? 0;
  if (dictionary !== 0) return ["unexpected", "dictionary_id", `it was made with dictionary ${dictionary}`];
  // A frame without a window descriptor has its content for a window.
  const base = 2 ** (ZSTD_WINDOW_LOG_MIN + (windowExponent ?? 0));
  const window =
    windowExponent === undefined ? (contentSize ?? 0) : base + (base / 8) * (windowMantissa ?? 0);
  if (window <= ZSTD_MAX_WINDOW_SIZE) return undefined;
  const detail = `a window of ${window} bytes, the cap is ${ZSTD_MAX_WINDOW_SIZE}: unpack it first (zstd -dc --long=31)`;
  return ["limit", "window_descriptor", detail];
}
