/** Fields that are lent say what the same fields say in a tree. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  type CaptureRecord,
  JsonLinesRenderer,
  openInspection,
  Query,
  type Sink,
  type Summary,
} from "../../src/inspect/index.js";
import { fieldsOf } from "../../src/inspect/lent-fields.js";

const CAPTURES = ["x86-q35-net-blk", "aarch64-virt-mmio", "s390x-ccw", "x86-q35-return-path"] as const;

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}.bin`, import.meta.url)));
}

function run(input: Uint8Array, sink: Sink, lendsFields: boolean): Summary {
  const inspection = openInspection("qemu-stream", sink, { withFields: true, lendsFields });
  inspection.push(input);
  return inspection.end();
}

function json(input: Uint8Array, lendsFields: boolean): string {
  let text = "";
  const decoder = new TextDecoder();
  const renderer = new JsonLinesRenderer((bytes) => {
    text += decoder.decode(bytes);
  });
  renderer.finish(run(input, renderer, lendsFields));
  return text;
}

describe("lent fields", () => {
  it.each(CAPTURES)("are the same as JSON in %s", (name) => {
    expect(json(capture(name), true)).toBe(json(capture(name), false));
  });

  it("are a tree where something is wrong, with its faults in it", () => {
    const damaged = capture("s390x-ccw").slice();
    // Inside the body of the section `timer`: what follows it is found again.
    damaged.fill(0xff, 0x470d0, 0x470d8);
    for (const input of [damaged, damaged.subarray(0, 300_000)]) {
      const lent = json(input, true);
      expect(lent).toContain('"faults":[{');
      expect(lent).toBe(json(input, false));
    }
  });

  it("make the tree that would have been kept, while the record is there", () => {
    const input = new Uint8Array(
      gunzipSync(readFileSync(new URL("../captures/microvm-mapped-ram-at-4096.bin.gz", import.meta.url))),
    ).subarray(4096);
    const kept: CaptureRecord[] = [];
    const trees: unknown[] = [];
    let lent = 0;
    run(input, { record: (record) => kept.push(record) }, false);
    run(
      input,
      {
        record: (record) => {
          if (record.lent !== undefined) lent++;
          trees.push(fieldsOf(record));
        },
      },
      true,
    );
    expect(lent).toBeGreaterThan(3);
    expect(trees).toEqual(kept.map(({ fields }) => fields));
  });

  it("are found by paths and by places, and hints name them", () => {
    const input = capture("aarch64-virt-mmio");
    const asked = ["sections[*virtio-net*].virtio.queues[*].last_avail_idx", "@0x700..0x800"];
    const found = (lendsFields: boolean): unknown[] => {
      const leaves: unknown[] = [];
      run(input, new Query(asked, (leaf) => leaves.push(leaf)), lendsFields);
      return leaves;
    };
    expect(found(true).length).toBeGreaterThan(2);
    expect(found(true)).toEqual(found(false));
    const miss = (lendsFields: boolean): string => {
      const query = new Query(["sections[timer].no_such_field"], () => {});
      run(input, query, lendsFields);
      return query.miss;
    };
    expect(miss(true)).toContain("cpu_ticks_offset");
    expect(miss(true)).toBe(miss(false));
  });
});
