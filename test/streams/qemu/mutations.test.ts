/**
 * Damage of every sort, drawn from a seed, done to real captures: never a clean verdict, the place named, what stands around
 * it shown, and no mutation takes long. Where the structure of a stream is, its own clean reading tells.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openInspection, type Summary } from "../../../src/inspect/index.js";
import { findDescription, Qcow2Image, type QemuEvent, QemuStreamParser } from "../../../src/streams/index.js";

/** Of each stream; 3,000 in all. */
const RUNS = 500;
const SEED = 20261120;
/** A machine that is busy is no endless loop. */
const MAX_TIME = 10_000;
/** Around a record that is damaged, whose neighbours may seem to be. */
const MAX_LOST = 4;

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../captures/${name}`, import.meta.url)));
}

function unpacked(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(captured(name)));
}

function savedMachine(): Uint8Array {
  const file = unpacked("microvm-savevm.qcow2.gz");
  const image = new Qcow2Image((at, size) => file.subarray(at, at + size));
  const [snapshot] = image.snapshots();
  if (snapshot === undefined) throw new Error("no snapshot");
  return image.state(snapshot)(0, snapshot.stateSize);
}

/** A record, and which of its bytes say how the stream is built. */
interface Part {
  readonly label: string;
  readonly at: number;
  readonly end: number;
  readonly structure: readonly (readonly [from: number, to: number])[];
  readonly isSection: boolean;
}

function partOf(event: QemuEvent): Part[] {
  if (event.kind === "fault" || event.kind === "gap") return [];
  // Neither has bytes of its own.
  if (event.kind === "checkpoint-begin" || event.kind === "checkpoint-end") return [];
  const { at, size } = event;
  const end = at + size;
  const plain = { label: event.kind, at, end, isSection: false };
  switch (event.kind) {
    case "section": {
      const { bodyAt, bodySize, name, phase } = event;
      const structure = [
        [at, bodyAt],
        [bodyAt + bodySize, end],
      ] as const;
      return [{ label: `${name} ${phase}`, at, end, structure, isSection: true }];
    }
    // The machine type is a name like any other.
    case "configuration":
      return [{ ...plain, structure: [[at, at + 5]] }];
    case "description":
      return [{ ...plain, structure: [[at, event.textAt]] }];
    default:
      return [{ ...plain, structure: [[at, end]] }];
  }
}

interface Mutation {
  readonly what: string;
  readonly at: number;
  readonly bytes: Uint8Array;
}

class Mutator {
  private state: number;
  private readonly stream: Uint8Array;
  private readonly parts: readonly Part[];

  constructor(seed: number, stream: Uint8Array, parts: readonly Part[]) {
    this.state = seed;
    this.stream = stream;
    this.parts = parts;
  }

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }

  next(): Mutation {
    const { stream } = this;
    const part = this.pick(this.parts);
    const [from, to] = this.pick(part.structure);
    switch (this.below(6)) {
      case 0: {
        const at = from + this.below(to - from);
        return this.patched("a flipped bit", at, [(stream[at] as number) ^ (1 << this.below(8))]);
      }
      case 1: {
        const at = part.at + this.below(part.end - part.at);
        return { what: "a dropped byte", at, bytes: joined(stream.subarray(0, at), stream.subarray(at + 1)) };
      }
      case 2: {
        const at = part.at + this.below(part.end - part.at);
        const byte = Uint8Array.of(this.below(256));
        return {
          what: "an inserted byte",
          at,
          bytes: joined(stream.subarray(0, at), byte, stream.subarray(at)),
        };
      }
      case 3: {
        const at = 1 + this.below(stream.length - 1);
        return { what: "a cut", at, bytes: stream.subarray(0, at) };
      }
      case 4: {
        const sections = this.parts.filter(({ isSection }) => isSection);
        const [footer] = this.pick(sections).structure[1] as readonly [number, number];
        return this.patched("a zeroed footer", footer, [0, 0, 0, 0, 0]);
      }
      default: {
        const at = from + this.below(Math.max(1, to - from - 4));
        return this.patched("a hostile length", at, [0xff, 0xff, 0xff, 0xff]);
      }
    }
  }

  private pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }

  private patched(what: string, at: number, values: readonly number[]): Mutation {
    const bytes = this.stream.slice();
    bytes.set(values.slice(0, bytes.length - at), at);
    return { what, at, bytes };
  }
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** As a file, or as a pipe that tells nothing of its end. */
function inspected(bytes: Uint8Array, isFile: boolean): { summary: Summary; whole: Set<string> } {
  const whole = new Set<string>();
  const inspection = openInspection(
    "qemu-stream",
    {
      record: ({ record, name, attributes }) => {
        if (record === "section" && attributes["complete"] !== false)
          whole.add(`${name} ${attributes["phase"]}`);
      },
    },
    { withFields: false, description: isFile ? findDescription(bytes) : undefined },
  );
  for (let at = 0; at < bytes.length; at += 1 << 16) inspection.push(bytes.subarray(at, at + (1 << 16)));
  return { summary: inspection.end(), whole };
}

const streams: Readonly<Record<string, () => Uint8Array>> = {
  microvm: savedMachine,
  "q35 with multifd": () => captured("x86-q35-multifd-main.bin"),
  s390x: () => captured("s390x-ccw.bin"),
  aarch64: () => captured("aarch64-virt-mmio.bin"),
  "COLO, four checkpoints": () => unpacked("microvm-colo.bin.gz"),
  "COLO, with pages": () => unpacked("microvm-colo-pages.bin.gz"),
};

describe("a damaged capture", () => {
  it.each(Object.entries(streams))("is never called clean: %s", { timeout: 240_000 }, (_, load) => {
    const stream = load();
    const parts: Part[] = [];
    const parser = new QemuStreamParser((event) => parts.push(...partOf(event)), {
      description: findDescription(stream),
    });
    parser.push(stream);
    parser.end();
    const mutator = new Mutator(SEED, stream, parts);
    const trouble: string[] = [];
    for (let run = 0; run < RUNS; run++) {
      const { what, at, bytes } = mutator.next();
      const isFile = mutator.below(2) === 0;
      if (Buffer.compare(bytes, stream) === 0) continue;
      const began = performance.now();
      const { summary, whole } = inspected(bytes, isFile);
      const index = parts.findIndex(({ end }) => at < end);
      const say = (how: string): void => {
        const label = parts[index]?.label.replaceAll(/[^ -~]/g, "?");
        trouble.push(
          `${what} at ${at} in ${label}, ${isFile ? "a file" : "a pipe"}: ${how}: ${summary.verdict}`,
        );
      };
      if (performance.now() - began > MAX_TIME) say("slow");
      if (summary.faultCount === 0) {
        say("no fault");
        continue;
      }
      const first = Math.min(...summary.faults.map(({ offset }) => offset));
      const from = parts[index - 1]?.at ?? 0;
      const to = parts[index + 1]?.end ?? stream.length;
      if (first < from || first > to) say(`named ${first}`);
      const others = parts.filter(
        (part, i) => part.isSection && (what === "a cut" ? part.end <= at : i !== index),
      );
      // Checkpoints repeat their sections.
      const lost = new Set(others.map(({ label }) => label).filter((label) => !whole.has(label)));
      if (lost.size > (what === "a cut" ? 0 : MAX_LOST)) say(`lost ${[...lost].join(", ")}`);
    }
    expect(trouble).toEqual([]);
  });
});
