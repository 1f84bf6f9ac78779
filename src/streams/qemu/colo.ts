/**
 * COLO: after the migration the primary sends checkpoints without end, each of them messages, the memory that has changed
 * and the state of all devices. Here are the messages, and the order that they come in.
 */
import {
  type ColoMessage,
  ColoMessageKind,
  coloMessageKindName,
  readColoMessage,
  scanColoMessage,
} from "../../../generated/qemu/colo.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { streamFault } from "../faults.js";
import type { BehindEof } from "./checkpoint-signs.js";
import { awaited, cut, lost, more, ON, RECORD, type Report, type Step } from "./step.js";

const SCHEMA = "qemu/colo.wire";

/**
 * `migration`: no checkpoint has begun yet. `between`: a REQUEST comes, or nothing. `requested`: SEND comes. `memory`:
 * records up to an EOF. `measured`: SIZE comes. `devices`: records up to another EOF.
 */
type Phase = "migration" | "between" | "requested" | "memory" | "measured" | "devices";

const EXPECTED: Readonly<Partial<Record<Phase, number>>> = {
  between: ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REQUEST,
  requested: ColoMessageKind.COLO_MESSAGE_VMSTATE_SEND,
  measured: ColoMessageKind.COLO_MESSAGE_VMSTATE_SIZE,
};

export function coloMessageName(kind: number): string {
  return coloMessageKindName(kind) ?? `COLO message ${kind}`;
}

export class Checkpoints {
  private phase: Phase = "migration";
  private readonly report: Report;
  private readonly onBegin: () => void;
  private count = 0;
  private beganAt = 0;
  private stateAt = 0;
  private stateSize: number | undefined;
  /** Where the last part of guest memory ends. */
  private memoryEnd: number | undefined;
  private isSound = true;

  /** `onBegin`: a checkpoint begins, and live sections may have another last part. */
  constructor(report: Report, onBegin: () => void) {
    this.report = report;
    this.onBegin = onBegin;
  }

  /** The migration before the first checkpoint is not over. */
  get isMigrating(): boolean {
    return this.phase === "migration";
  }

  /** Inside a checkpoint. */
  get isOpen(): boolean {
    return this.phase !== "migration" && this.phase !== "between";
  }

  /** The migration is over: a checkpoint may follow. */
  start(): void {
    if (this.phase === "migration") this.phase = "between";
  }

  /**
   * Whether a zero byte is EOF: offset `end` is behind it, and there stands what would confirm it. The order of things or
   * the announced size confirm it, too, when a message behind it is damaged.
   */
  accepts(end: number, behind: BehindEof | undefined): boolean {
    switch (this.phase) {
      case "memory":
        return behind !== undefined || this.memoryEnd === end - 1;
      case "devices":
        if (this.stateSize !== undefined && end === this.stateAt + this.stateSize) return true;
        return behind === "request" || (behind === "end" && this.stateSize === undefined);
      default:
        return behind === "request" || behind === "end";
    }
  }

  /** A message, in the phases that have one. */
  read(reader: Reader): Step {
    const at = reader.at;
    const start = reader.base + at;
    // The primary stops between two checkpoints when it is told to.
    if (this.phase === "between" && at === reader.end) return more(1);
    const expected = EXPECTED[this.phase];
    if (expected === undefined) return RECORD;
    const name = coloMessageName(expected);
    if (!scanColoMessage(reader)) {
      const fault = reader.fault as Fault;
      const wait = awaited(reader, at, fault, this.report.ended);
      if (wait !== undefined) return wait;
      const had = reader.end - at;
      if (fault.code === "truncated") {
        if (!this.isOpen) this.begin(start);
        return cut(
          streamFault(SCHEMA, "truncated", this.path, start, `the input ends in ${name}`, fault.need, had),
        );
      }
      return this.wrong(reader, start, `no message has this number; ${name} comes here`);
    }
    const end = reader.at;
    reader.at = at;
    const message = readColoMessage(reader);
    reader.at = end;
    if (message.message !== expected) {
      reader.at = at;
      return this.wrong(reader, start, `${coloMessageName(message.message)}, where ${name} comes`);
    }
    if (this.phase === "between") this.begin(start);
    this.report.emit({
      kind: "colo-message",
      at: start,
      size: end - at,
      bytes: reader.bytes.subarray(at, end),
      message,
    });
    return this.follow(message, reader.base + end);
  }

  private follow(message: ColoMessage, end: number): Step {
    switch (this.phase) {
      case "between":
        this.phase = "requested";
        return ON;
      case "requested":
        this.phase = "memory";
        return RECORD;
      default:
        this.phase = "devices";
        this.stateAt = end;
        this.stateSize = message.value;
        return RECORD;
    }
  }

  /** A message is damaged: what it announces may be sound. */
  private wrong(reader: Reader, start: number, detail: string): Step {
    if (!this.isOpen) this.begin(start);
    this.isSound = false;
    this.report.fault(streamFault(SCHEMA, "constraint", this.path, start, detail));
    this.phase = this.phase === "measured" ? "devices" : "memory";
    return lost(reader);
  }

  private get path(): string {
    return `checkpoints[${this.count - 1}]`;
  }

  private begin(at: number): void {
    this.beganAt = at;
    this.stateSize = undefined;
    this.memoryEnd = undefined;
    this.isSound = true;
    this.report.emit({ kind: "checkpoint-begin", at, size: 0, index: this.count++ });
    this.onBegin();
  }

  /** The last part of guest memory has come; it ends at `end`. */
  memory(end: number): void {
    this.memoryEnd = end;
  }

  /**
   * EOF, at offsets `start` to `end`, with what stands behind it. It ends the memory or the devices of the checkpoint, or the
   * migration before the first.
   */
  eof(start: number, end: number, behind: BehindEof | undefined): void {
    if (this.phase === "migration") {
      this.phase = "between";
      return;
    }
    if (this.phase === "memory" && behind !== "request") {
      if (this.memoryEnd === undefined)
        this.blame("missing", start, "the last part of guest memory is not in it");
      this.phase = "measured";
      return;
    }
    const size = end - this.stateAt;
    if (this.phase === "memory") this.blame("missing", start, "the state of the devices is not in it");
    else if (this.stateSize !== undefined && this.stateSize !== size) {
      const detail = `the state of the devices takes ${size} bytes, COLO_MESSAGE_VMSTATE_SIZE says ${this.stateSize}`;
      this.isSound = false;
      this.report.fault(streamFault(SCHEMA, "constraint", `${this.path}.state_size`, this.stateAt, detail));
    }
    this.close(end, true);
  }

  /** Another checkpoint begins at `at` while this one, or the migration, has not come to its end. */
  interrupt(at: number): void {
    const detail = "another checkpoint begins before the end of what stands in front of it";
    if (this.isOpen) {
      this.blame("missing", at, detail);
      this.close(at, false);
    } else this.report.fault(streamFault(SCHEMA, "missing", "checkpoints[0]", at, detail));
    this.phase = "between";
  }

  /** The input ends inside something whose reader has said so. */
  cutShort(): void {
    this.isSound = false;
  }

  /** The input ends at `at`. */
  finish(at: number): void {
    if (!this.isOpen) return;
    const missing =
      this.phase === "devices" ? "the state of its devices" : "its memory and the state of its devices";
    if (this.isSound) this.blame("truncated", at, `the input ends before ${missing} is whole`);
    this.close(at, false);
  }

  private blame(code: "missing" | "constraint" | "truncated", at: number, detail: string): void {
    this.isSound = false;
    this.report.fault(streamFault(SCHEMA, code, this.path, at, detail));
  }

  private close(end: number, whole: boolean): void {
    this.phase = "between";
    this.report.emit({
      kind: "checkpoint-end",
      at: end,
      size: 0,
      index: this.count - 1,
      beganAt: this.beganAt,
      stateSize: this.stateSize,
      complete: whole && this.isSound,
    });
  }
}
