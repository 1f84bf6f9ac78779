/**
 * Damage drawn from a seed, done to what goes beside the main stream: the return path, the channels of multifd, and the main
 * channel after a break. None of them carries checksums: a value that becomes another valid one cannot be told, so that
 * flips and hostile numbers go to what says how the stream is built.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type CaptureKind, openInspection, type Summary } from "../../../src/inspect/index.js";
import {
  type MultifdEvent,
  MultifdParser,
  type QemuEvent,
  QemuStreamParser,
  type ReturnPathEvent,
  ReturnPathParser,
} from "../../../src/streams/index.js";
import { AFTER, recoverWith } from "../migration/postcopy-bytes.js";
import { bytes } from "../wire-bytes.js";
import { recovery } from "./return-path-bytes.js";

const RUNS = 400;
const SEED = 20261120;
/** A machine that is busy is no endless loop. */
const MAX_TIME = 10_000;

function captured(name: string): Uint8Array {
  const file = readFileSync(new URL(`../../captures/${name}`, import.meta.url));
  return new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
}

/** A message or packet, and which of its bytes say how the stream is built. */
interface Part {
  readonly at: number;
  readonly end: number;
  readonly structure: readonly (readonly [from: number, to: number])[];
}

function returnPathParts(stream: Uint8Array): Part[] {
  const parts: Part[] = [];
  const parser = new ReturnPathParser((event: ReturnPathEvent) => {
    // The length, and of the type what cannot become another type of that length; of a bitmap its size and its end.
    if (event.kind === "message") {
      const { at, bytes } = event;
      parts.push({
        at,
        end: at + bytes.length,
        structure: [
          [at, at + 1],
          [at + 2, at + 4],
        ],
      });
    }
    // One message of COLO may become another, which does not come there.
    if (event.kind === "colo-message")
      parts.push({ at: event.at, end: event.at + 4, structure: [[event.at, event.at + 4]] });
    if (event.kind === "bitmap") {
      const { at, size } = event;
      parts.push({
        at,
        end: at + size,
        structure: [
          [at, at + 8],
          [at + size - 8, at + size],
        ],
      });
    }
  });
  parser.push(stream);
  parser.end();
  return parts;
}

function multifdParts(stream: Uint8Array): Part[] {
  const parts: Part[] = [];
  const parser = new MultifdParser((event: MultifdEvent) => {
    if (event.kind === "init")
      parts.push({ at: event.at, end: event.at + event.size, structure: [[event.at, event.at + 8]] });
    // Magic, version, and the numbers of pages.
    if (event.kind === "pages")
      parts.push({
        at: event.at,
        end: event.at + event.size + event.dataSize,
        structure: [
          [event.at, event.at + 8],
          [event.at + 12, event.at + 20],
        ],
      });
  });
  parser.push(stream);
  parser.end();
  return parts;
}

function resumedParts(stream: Uint8Array): Part[] {
  const parts: Part[] = [];
  const parser = new QemuStreamParser(
    (event: QemuEvent) => {
      if (event.kind === "fault" || event.kind === "gap") return;
      const { at, size } = event;
      const end = at + size;
      // Of a part its head, the end of its pages and its footer; of a name of a block, any is one.
      const isSection = event.kind === "section";
      const structure = isSection
        ? ([
            [at, at + 5],
            [end - 13, end],
          ] as const)
        : ([[at, end]] as const);
      // Names of blocks in commands are not structure either, nor is the value of POSTCOPY_RESUME.
      parts.push({ at, end, structure: event.kind === "command" ? [[at, at + 5]] : structure });
    },
    { resumed: "unknown" },
  );
  parser.push(stream);
  parser.end();
  return parts;
}

class Mutator {
  private state = SEED;
  private readonly stream: Uint8Array;
  private readonly parts: readonly Part[];

  constructor(stream: Uint8Array, parts: readonly Part[]) {
    this.stream = stream;
    this.parts = parts;
  }

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }

  next(): { readonly what: string; readonly at: number; readonly bytes: Uint8Array } {
    const { stream } = this;
    const part = this.pick(this.parts);
    const [from, to] = this.pick(part.structure);
    const inPart = part.at + this.below(part.end - part.at);
    switch (this.below(5)) {
      case 0: {
        const at = from + this.below(to - from);
        const bytes = stream.slice();
        bytes[at] = (bytes[at] ?? 0) ^ (1 << this.below(8));
        return { what: "a flipped bit", at, bytes };
      }
      case 1:
        return {
          what: "a dropped byte",
          at: inPart,
          bytes: joined(stream.subarray(0, inPart), stream.subarray(inPart + 1)),
        };
      case 2: {
        const byte = Uint8Array.of(this.below(256));
        return {
          what: "an inserted byte",
          at: inPart,
          bytes: joined(stream.subarray(0, inPart), byte, stream.subarray(inPart)),
        };
      }
      case 3: {
        const at = 1 + this.below(stream.length - 1);
        return { what: "a cut", at, bytes: stream.subarray(0, at) };
      }
      default: {
        const bytes = stream.slice();
        bytes.fill(0xff, from, Math.min(to, from + 4));
        return { what: "a hostile number", at: from, bytes };
      }
    }
  }

  private pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function inspected(kind: CaptureKind, bytes: Uint8Array): Summary {
  const inspection = openInspection(kind, { record: () => {} }, { withFields: false });
  for (let at = 0; at < bytes.length; at += 1 << 16) inspection.push(bytes.subarray(at, at + (1 << 16)));
  return inspection.end();
}

const nowhere = (): boolean => false;

const streams: readonly (readonly [
  name: string,
  kind: CaptureKind,
  load: () => Uint8Array,
  partsOf: (stream: Uint8Array) => Part[],
  /** Cut here, it is as sound as whole. */
  mayEnd: (at: number) => boolean,
])[] = [
  [
    "the return path of a postcopy",
    "qemu-return-path",
    () => captured("x86-q35-postcopy.return.bin"),
    returnPathParts,
    nowhere,
  ],
  ["the return path of a recovery", "qemu-return-path", recovery, returnPathParts, nowhere],
  [
    "the return path of COLO",
    "qemu-return-path",
    () => captured("microvm-colo.return.bin"),
    returnPathParts,
    // READY, then three messages for each checkpoint.
    (at) => at % 12 === 4,
  ],
  [
    "what comes after a break",
    "qemu-resumed",
    () => bytes(...recoverWith("pc.ram"), ...AFTER),
    resumedParts,
    nowhere,
  ],
  [
    "a multifd channel",
    "qemu-multifd",
    () => captured("x86-q35-multifd-channel0.bin.gz"),
    multifdParts,
    nowhere,
  ],
];

describe("damage beside the main stream", () => {
  it.each(streams)("is never called clean: %s", { timeout: 240_000 }, (_, kind, load, partsOf, mayEnd) => {
    const stream = load();
    expect(inspected(kind, stream).faultCount).toBe(0);
    const parts = partsOf(stream);
    const mutator = new Mutator(stream, parts);
    const trouble: string[] = [];
    for (let run = 0; run < RUNS; run++) {
      const { what, at, bytes } = mutator.next();
      if (Buffer.compare(bytes, stream) === 0 || (what === "a cut" && mayEnd(at))) continue;
      const began = performance.now();
      const summary = inspected(kind, bytes);
      const index = parts.findIndex(({ end }) => at < end);
      const say = (how: string): void => {
        trouble.push(
          `${what} at ${at} in part ${index} from ${parts[index]?.at}: ${how}: ${summary.verdict}`,
        );
      };
      if (performance.now() - began > MAX_TIME) say("slow");
      if (summary.faultCount === 0) {
        say("no fault");
        continue;
      }
      const first = Math.min(...summary.faults.map(({ offset }) => offset));
      const from = parts[index - 1]?.at ?? 0;
      // A command whose length is damaged swallows what follows.
      const swallowed = kind === "qemu-resumed" ? at + 256 : 0;
      const to = Math.max(parts[index + 2]?.end ?? stream.length, swallowed);
      if (first < from || first > to) say(`named ${first}`);
    }
    expect(trouble).toEqual([]);
  });
});
