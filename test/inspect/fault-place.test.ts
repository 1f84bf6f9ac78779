/** What an error names can be looked at: the paths of faults are paths that get and hex take. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type CaptureKind, openInspection, Query, type Summary } from "../../src/inspect/index.js";
import { findDescription } from "../../src/streams/index.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}`, import.meta.url)));
}

function inspect(kind: CaptureKind, bytes: Uint8Array, withFields: boolean, query?: Query): Summary {
  const description = kind === "qemu-stream" ? findDescription(bytes) : undefined;
  const inspection = openInspection(kind, query ?? { record: () => {} }, { withFields, description });
  inspection.push(bytes);
  return inspection.end();
}

/** What no record holds: the stream ends too early to say where it would stand. */
const NOWHERE = /^(?:stream|vmdescription|vmdescription\.text)$/;
const SEED = 20261121;
const RUNS = 30;

function damaged(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = bytes.slice(0, random(4) === 0 ? random(bytes.length) : bytes.length);
  const at = random(2) === 0 ? random(copy.length) : Math.max(0, copy.length - 1 - random(400_000));
  copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
  return copy;
}

describe("the path of a fault", () => {
  it.each([
    ["x86-q35-multifd-main.bin", "qemu-stream"],
    ["x86-q35-net-blk.bin", "qemu-stream"],
    ["s390x-ccw.bin", "qemu-stream"],
  ] as const)("names a record or a field that is there: %s", (name, kind) => {
    const bytes = capture(name);
    let state = SEED;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    let seen = 0;
    for (let run = 0; run < RUNS; run++) {
      const broken = damaged(bytes, random);
      const { faults } = inspect(kind, broken, random(2) === 0);
      for (const { path, offset } of faults.filter((fault) => !NOWHERE.test(fault.path))) {
        seen++;
        const places: boolean[] = [];
        const query = new Query([path], ({ at, size }) => {
          places.push(at !== undefined && size !== undefined && offset >= at && offset <= at + size);
        });
        inspect(kind, broken, true, query);
        expect(query.found, `run ${run}: ${path}`).toBeGreaterThan(0);
        // Attributes stand at no one place.
        if (/(?:virtio|\])\.\w/.test(path) && !/parts|version_id/.test(path))
          expect(places, `run ${run}: ${path}`).toContain(true);
      }
    }
    expect(seen).toBeGreaterThan(RUNS / 8);
  });

  it("is the same with fields and without", () => {
    const bytes = capture("x86-q35-net-blk.bin");
    const place =
      'sections["0000:00:02.0/virtio-blk"].virtio["virtio/packed_virtqueues"].vq[2].used_wrap_counter';
    const query = new Query([place], ({ at = 0 }) => bytes.fill(7, at, at + 1));
    inspect("qemu-stream", bytes, true, query);
    const paths = (withFields: boolean) =>
      inspect("qemu-stream", bytes, withFields).faults.map(({ path, detail }) => [path, detail]);
    expect(paths(false)).toEqual(paths(true));
    expect(paths(true)).toEqual([[place, expect.stringContaining("used_wrap_counter <= 1")]]);
  });

  it("names a message of a conversation, and what cannot be read of it", () => {
    const text = new TextDecoder().decode(capture("vhost-user-qsd.jsonl"));
    const [first = "", ...rest] = text.split("\n");
    const cut = first.replace(/"hex": ?"([0-9a-f]{24})[0-9a-f]*"/, '"hex":"$1"');
    const bytes = new TextEncoder().encode([cut, ...rest].join("\n"));
    for (const { path } of inspect("vhost-user", bytes, true).faults)
      expect(path).toMatch(/^(?:messages|gaps)\[\d+\]|^line \d+$/);
  });
});
