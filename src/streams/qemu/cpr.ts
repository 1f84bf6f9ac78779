/** The state that QEMU hands to its successor before a migration by CPR: a head, then open descriptors by name, one by one. */
import {
  type CprFd,
  readCprFd,
  scanCprFd,
  scanCprHead,
  walkCprFd,
  walkCprHead,
} from "../../../generated/qemu/cpr.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { type ElementCodec, takeElement } from "../elements.js";
import { Window } from "../window.js";
import { qemuFault } from "./faults.js";

const SCHEMA = "qemu/cpr.wire";
const HEAD: ElementCodec = { scan: scanCprHead, walk: walkCprHead, schema: SCHEMA };
const FD: ElementCodec = { scan: scanCprFd, walk: walkCprFd, schema: SCHEMA };
const END = 0;

/** `bytes` are lent until the listener returns. */
export type CprEvent =
  | { readonly kind: "head"; readonly at: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "fd";
      readonly index: number;
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly fd: CprFd;
    }
  /** No descriptor follows. */
  | { readonly kind: "end"; readonly at: number }
  /** Bytes that cannot be read. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

/** Retains at most one name that is not complete yet, up to 16 MiB. */
export class CprParser {
  private readonly listener: (event: CprEvent) => void;
  private readonly window = new Window();
  private state: "head" | "fds" | "over" | "lost" = "head";
  private index = 0;
  private ended = false;
  private lostAt = 0;

  constructor(listener: (event: CprEvent) => void) {
    this.listener = listener;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    if (this.state === "lost") {
      this.listener({ kind: "gap", at: this.lostAt, size: this.window.at - this.lostAt });
    } else if (this.state !== "over") {
      const path = this.state === "head" ? "head" : `fds[${this.index}]`;
      this.fault(qemuFault("truncated", path, this.window.at, "the list of descriptors has no end"));
    }
  }

  private parse(reader: Reader): number {
    while (reader.at < reader.end && this.state !== "lost") {
      const at = reader.at;
      if (this.state === "over") {
        this.lose(
          at,
          reader,
          qemuFault("trailing", "end", reader.base + at, "bytes behind the end of the list"),
        );
      } else if (this.state === "fds" && reader.view.getUint8(at) === END) {
        reader.at++;
        this.state = "over";
        this.listener({ kind: "end", at: reader.base + at });
      } else {
        const isHead = this.state === "head";
        const step = takeElement(reader, isHead ? HEAD : FD, isHead ? "head" : `fds[${this.index}]`);
        if (step.kind === "wanted" && !this.ended) return step.bytes;
        if (step.kind === "wanted") this.lose(at, reader, step.lacking);
        else if (step.kind === "stuck") this.lose(at, reader, step.fault);
        else this.element(at, reader, isHead, step.faults);
      }
    }
    if (this.state === "lost") reader.at = reader.end;
    return 1;
  }

  private element(at: number, reader: Reader, isHead: boolean, faults: readonly Fault[]): void {
    for (const fault of faults) this.fault(fault);
    const end = reader.at;
    const bytes = reader.bytes.subarray(at, end);
    if (isHead) {
      this.state = "fds";
      this.listener({ kind: "head", at: reader.base + at, bytes });
      return;
    }
    reader.at = at;
    const fd = readCprFd(reader);
    reader.at = end;
    this.listener({ kind: "fd", index: this.index++, at: reader.base + at, bytes, fd });
  }

  private lose(at: number, reader: Reader, fault: Fault): void {
    this.fault(fault);
    this.state = "lost";
    this.lostAt = reader.base + at;
  }

  private fault(fault: Fault): void {
    this.listener({ kind: "fault", fault });
  }
}
