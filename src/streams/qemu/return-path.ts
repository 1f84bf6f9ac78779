/**
 * A push parser for the return path of a QEMU migration: what the destination tells the source. Messages delimit themselves;
 * behind RECV_BITMAP stands a bitmap that its length does not count. With COLO, those of the secondary follow, or are all.
 *
 * Memory: one message, at most 516 bytes, besides one chunk. Bitmaps are counted and passed over.
 */
import type { ColoMessage } from "../../../generated/qemu/colo.js";
import {
  QEMU_RP_BITMAP_END_SIZE,
  QEMU_RP_BITMAP_HEAD_SIZE,
  type QemuRpMessage,
  readQemuRpBitmapHead,
  readQemuRpMessage,
  scanQemuRpBitmapEnd,
  scanQemuRpBitmapHead,
  scanQemuRpMessage,
  walkQemuRpMessage,
} from "../../../generated/qemu/return-path.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { streamFault, under } from "../faults.js";
import { inSteps, Window } from "../window.js";
import { bitsSet } from "./bits.js";
import { coloMessageName } from "./colo.js";
import { ColoAnswers } from "./colo-answers.js";

const SCHEMA = "qemu/return-path.wire";
const CODEC: ElementCodec = { scan: scanQemuRpMessage, walk: walkQemuRpMessage, schema: SCHEMA };
/** So many sound messages one behind the other are no accident. */
const CONVINCING = 2;

export type ReturnPathEvent =
  | ReturnPathMessageEvent
  | ReturnPathBitmapEvent
  | ReturnPathColoEvent
  /** Bytes that cannot be read, up to where messages follow one another again. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

export interface ReturnPathMessageEvent {
  readonly kind: "message";
  readonly index: number;
  readonly at: number;
  /** The whole message. Lent until the listener returns. */
  readonly bytes: Uint8Array;
  /** Undefined when a field has a value that it cannot have. */
  readonly message: QemuRpMessage | undefined;
  /** The pages that it asks for. */
  readonly request: PageRequest | undefined;
}

export interface PageRequest {
  /** Of the message, or of the last one before it that named a block. */
  readonly block: string;
  readonly start: number;
  readonly length: number;
}

/** What stands behind the message RECV_BITMAP number `index`: head, bitmap and end mark. */
export interface ReturnPathBitmapEvent {
  readonly kind: "bitmap";
  readonly index: number;
  readonly block: string;
  readonly at: number;
  readonly size: number;
  /** Of the bitmap itself, in bytes: one bit a target page, rounded up to words of 64. */
  readonly bitmapSize: number;
  /** Pages that have been received: bits that are set. */
  readonly received: number;
}

/** A message of the secondary of COLO. */
export interface ReturnPathColoEvent {
  readonly kind: "colo-message";
  readonly index: number;
  readonly at: number;
  /** The whole message. Lent until the listener returns. */
  readonly bytes: Uint8Array;
  readonly message: ColoMessage;
}

interface OpenBitmap {
  readonly at: number;
  readonly block: string;
  size: number;
  left: number;
  received: number;
}

export class ReturnPathParser {
  private readonly listener: (event: ReturnPathEvent) => void;
  private readonly colo = new ColoAnswers();
  private readonly window = new Window();
  private readonly parse = inSteps((reader) => this.step(reader));
  private mode: "message" | "bitmap-head" | "bitmap" | "bitmap-end" | "resync" = "message";
  private index = 0;
  private block: string | undefined;
  private bitmap: OpenBitmap = { at: 0, block: "", size: 0, left: 0, received: 0 };
  private shut = false;
  private gapAt = 0;
  private ended = false;

  constructor(listener: (event: ReturnPathEvent) => void) {
    this.listener = listener;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, this.parse);
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish(this.parse);
    const { lacking } = this.colo;
    if (this.colo.isOpen) {
      if (lacking === undefined || this.mode === "resync") return;
      const detail = `the input ends inside a checkpoint, without ${coloMessageName(lacking)}`;
      this.fault(streamFault(SCHEMA, "truncated", `messages[${this.index}]`, this.window.at, detail));
    } else if (!this.shut && this.mode !== "resync") {
      const detail = "the input ends without MIG_RP_MSG_SHUT";
      this.fault(
        streamFault(SCHEMA, "truncated", `messages[${this.index}]`, this.window.at, detail, undefined),
      );
    }
  }

  /** Of COLO, when the secondary has said that it is ready: how many it has begun to take, and how many it has loaded. */
  get checkpoints(): { readonly begun: number; readonly loaded: number } | undefined {
    return this.colo.isOpen ? this.colo.checkpoints : undefined;
  }

  /** Makes progress and returns 0, or says how many bytes it needs. */
  private step(reader: Reader): number {
    switch (this.mode) {
      case "message":
        return this.message(reader);
      case "bitmap-head":
        return this.bitmapHead(reader);
      case "bitmap":
        return this.bitmapWords(reader);
      case "bitmap-end":
        return this.bitmapEnd(reader);
      case "resync":
        return this.resync(reader);
    }
  }

  private message(reader: Reader): number {
    const at = reader.at;
    if (at === reader.end) return 1;
    if (this.colo.isOpen) return this.coloMessage(reader);
    const begins = this.shut ? false : this.colo.beginsAt(reader, this.ended);
    if (typeof begins === "number") return begins;
    if (begins) {
      this.colo.isOpen = true;
      return 0;
    }
    const path = `messages[${this.index}]`;
    const step = takeElement(reader, CODEC, path);
    if (step.kind === "wanted" && !this.ended) return step.bytes;
    if (step.kind !== "element") {
      this.fault(step.kind === "wanted" ? step.lacking : step.fault);
      return this.lost(reader);
    }
    const end = reader.at;
    for (const fault of step.faults) this.fault(fault);
    if (this.shut) {
      const detail = "a message behind MIG_RP_MSG_SHUT, which is the last";
      this.fault(streamFault(SCHEMA, "trailing", path, reader.base + at, detail));
    }
    reader.at = at;
    const message = step.faults.length === 0 ? readQemuRpMessage(reader) : undefined;
    reader.at = end;
    const request = message && this.requestOf(message, path, reader.base + at);
    const bytes = reader.bytes.subarray(at, end);
    this.listener({ kind: "message", index: this.index, at: reader.base + at, bytes, message, request });
    if (message !== undefined) this.follow(message);
    if (this.mode === "message") this.index++;
    return 0;
  }

  private coloMessage(reader: Reader): number {
    const { at } = reader;
    const path = `messages[${this.index}]`;
    const answer = this.colo.take(reader, this.ended);
    if (answer.kind === "wanted") return answer.bytes;
    if (answer.kind === "none") {
      const detail = `no message of the secondary; ${coloMessageName(answer.expected)} comes here`;
      const isShort = reader.end - at < 4;
      this.fault(streamFault(SCHEMA, isShort ? "truncated" : "constraint", path, reader.base + at, detail));
      return this.lost(reader);
    }
    const { message, expected } = answer;
    if (expected !== undefined) {
      const detail = `${coloMessageName(message.message)}, where ${coloMessageName(expected)} comes`;
      this.fault(streamFault(SCHEMA, "constraint", path, reader.base + at, detail));
    }
    const bytes = reader.bytes.subarray(at, reader.at);
    this.listener({ kind: "colo-message", index: this.index++, at: reader.base + at, bytes, message });
    return 0;
  }

  private requestOf(message: QemuRpMessage, path: string, at: number): PageRequest | undefined {
    const { body } = message.data;
    if (body.case === "migRpMsgReqPagesId") this.block = body.value.block.text;
    else if (body.case !== "migRpMsgReqPages") return undefined;
    if (this.block === undefined) {
      this.fault(streamFault(SCHEMA, "constraint", path, at, "no request before has named a block"));
      return undefined;
    }
    return { block: this.block, start: body.value.start, length: body.value.len };
  }

  /** What a message means for what stands behind it. */
  private follow(message: QemuRpMessage): void {
    const { body } = message.data;
    if (body.case === "migRpMsgRecvBitmap") {
      this.bitmap = { at: 0, block: body.value.block.text, size: 0, left: 0, received: 0 };
      this.mode = "bitmap-head";
    } else if (body.case === "migRpMsgShut") {
      this.shut = true;
    }
  }

  private bitmapHead(reader: Reader): number {
    const at = reader.at;
    if (!scanQemuRpBitmapHead(reader)) return this.bitmapFault(reader, at);
    reader.at = at;
    const { size } = readQemuRpBitmapHead(reader);
    this.bitmap = { ...this.bitmap, at: reader.base + at, size, left: size };
    this.mode = "bitmap";
    return 0;
  }

  private bitmapWords(reader: Reader): number {
    const { bitmap } = this;
    const taken = Math.min(bitmap.left, reader.end - reader.at);
    bitmap.received += bitsSet(reader.slice(taken));
    bitmap.left -= taken;
    if (bitmap.left === 0) {
      this.mode = "bitmap-end";
      return 0;
    }
    if (this.ended) {
      this.fault(
        streamFault(
          SCHEMA,
          "truncated",
          `messages[${this.index}].bitmap`,
          bitmap.at + QEMU_RP_BITMAP_HEAD_SIZE,
          undefined,
          bitmap.size + QEMU_RP_BITMAP_END_SIZE,
          bitmap.size - bitmap.left,
        ),
      );
      return this.lost(reader);
    }
    return 1;
  }

  private bitmapEnd(reader: Reader): number {
    const at = reader.at;
    if (!scanQemuRpBitmapEnd(reader)) return this.bitmapFault(reader, at);
    const { block, at: start, size, received } = this.bitmap;
    const end = reader.base + reader.at;
    const { index } = this;
    this.listener({ kind: "bitmap", index, block, at: start, size: end - start, bitmapSize: size, received });
    this.mode = "message";
    this.index++;
    return 0;
  }

  private bitmapFault(reader: Reader, at: number): number {
    const fault = under(`messages[${this.index}].bitmap`, reader.fault as Fault);
    const wanted = reader.wanted - at;
    reader.at = at;
    if (fault.code === "truncated" && !this.ended) return wanted;
    this.fault(fault);
    return this.lost(reader);
  }

  private lost(reader: Reader): number {
    this.gapAt = reader.base + reader.at;
    this.index++;
    // What cannot be read begins here: the next message begins behind it at the earliest.
    if (reader.at < reader.end) reader.at++;
    this.mode = "resync";
    return 0;
  }

  /** Looks for the next place from which sound messages follow one another. */
  private resync(reader: Reader): number {
    for (; reader.at < reader.end; reader.at++) {
      const wanted = this.chain(reader);
      if (wanted > 0) return wanted;
      if (wanted === 0) {
        this.gap(reader.base + reader.at);
        this.mode = "message";
        return 0;
      }
    }
    if (this.ended) this.gap(reader.base + reader.end);
    return 1;
  }

  /** 0: sound messages follow one another from the cursor on. −1: they do not. Else how many bytes it takes to tell. */
  private chain(reader: Reader): number {
    const { at, end, depth } = reader;
    if (this.colo.isOpen) return this.colo.chainAt(reader, at, this.ended);
    let found = 0;
    while (found < CONVINCING && !(this.ended && found > 0 && reader.at === end)) {
      if (!scanQemuRpMessage(reader)) {
        const short = reader.fault?.code === "truncated" && !this.ended;
        const wanted = reader.wanted - at;
        reader.rewind(at, end, depth);
        return short ? wanted : -1;
      }
      found++;
    }
    reader.at = at;
    return 0;
  }

  private gap(end: number): void {
    if (end > this.gapAt) this.listener({ kind: "gap", at: this.gapAt, size: end - this.gapAt });
  }

  private fault(fault: Fault): void {
    this.listener({ kind: "fault", fault });
  }
}

/** Whether the first bytes of a capture read as a return path: a whole message at least, and nothing wrong. */
export function isReturnPath(prefix: Uint8Array): boolean {
  let messages = 0;
  let faults = 0;
  const parser = new ReturnPathParser((event) => {
    if (event.kind === "message" || event.kind === "colo-message") messages++;
    else if (event.kind === "fault") faults++;
  });
  parser.push(prefix);
  return messages > 0 && faults === 0;
}
