/** COLO, as QEMU 7.2 sent its checkpoints to QEMU 10.0, and what that answered. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeColoMessage } from "../../generated/qemu/colo.js";
import { type CaptureRecord, MigrationCheck, openInspection, printPath } from "../../src/inspect/index.js";
import { anyCuts } from "../streams/splits.js";
import { type Inspected, inspectBytes } from "./inspect-bytes.js";

function captured(name: string): Uint8Array {
  const file = readFileSync(new URL(`../captures/${name}`, import.meta.url));
  return new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
}

const MAIN = captured("microvm-colo.bin.gz");
const PAGES = captured("microvm-colo-pages.bin.gz");
const RETURN = captured("microvm-colo.return.bin");
/** Where the four checkpoints begin: behind the description, and every 3132 bytes from there. */
const BEGIN = 0xea5f;
const SIZE = 3132;

function pathsOf(records: readonly CaptureRecord[], record: string): string[] {
  return records.filter((one) => one.record === record).map(({ path }) => printPath(path));
}

function wholeCheckpoints({ records }: Inspected): string[] {
  return pathsOf(
    records.filter(({ attributes }) => attributes["complete"] !== false),
    "checkpoint",
  );
}

function patched(at: number, ...values: readonly number[]): Uint8Array {
  const bytes = MAIN.slice();
  bytes.set(values, at);
  return bytes;
}

describe("checkpoints", () => {
  it("are told apart, each with its messages, memory and devices, and account for every byte", () => {
    const { records, summary } = inspectBytes(MAIN, { withFields: true });
    expect(summary.verdict).toMatch(/^clean/);
    expect(summary.facts).toContainEqual(expect.objectContaining({ key: "checkpoint_count", value: 4 }));
    expect(pathsOf(records, "checkpoint")).toEqual([0, 1, 2, 3].map((index) => `checkpoints[${index}]`));
    expect(pathsOf(records, "colo-message").slice(0, 3)).toEqual(
      [0, 1, 2].map((index) => `checkpoints[0].messages[${index}]`),
    );
    const third = records.filter(({ path }) => printPath(path).startsWith("checkpoints[2].sections"));
    expect(third.map(({ name }) => name)).toEqual([
      ...["ram", "timer", "fw_cfg", "cpu_common", "cpu", "kvm-tpr-opt", "apic", "ioapic"],
      "virtio-mmio@00000000feb00e00/virtio-rng",
      "virtio-mmio@00000000feb00c00/virtio-blk",
      "globalstate",
    ]);
    expect(
      third.every(({ record, fields, name }) => record === "section" && (fields ?? name === "ram")),
    ).toBeTruthy();
    let next = 0;
    for (const { at, size, record } of records) {
      if (record === "checkpoint") continue;
      expect(at).toBe(next);
      next = at + size;
    }
    expect(next).toBe(MAIN.length);
  });

  it("tell how many pages they bring", () => {
    const { records, summary } = inspectBytes(PAGES);
    expect(summary.faultCount).toBe(0);
    const [checkpoint] = records.filter(({ record }) => record === "checkpoint");
    expect(checkpoint?.attributes).toMatchObject({ normal_pages: 2, zero_pages: 0, state_size: 3093 });
  });

  it("are the same however they are cut", () => {
    const end = BEGIN + 2 * SIZE;
    const bytes = MAIN.subarray(0, end);
    const whole = inspectBytes(bytes, { withFields: true });
    fc.assert(
      fc.property(anyCuts(end), (cuts) => {
        expect(inspectBytes(bytes, { withFields: true, cuts })).toEqual(whole);
      }),
      { numRuns: 10 },
    );
  });

  it("may end behind any of them, and nowhere else", () => {
    for (const count of [0, 1, 3]) {
      const { summary } = inspectBytes(MAIN.subarray(0, BEGIN + count * SIZE));
      expect([count, summary.faultCount]).toEqual([count, 0]);
    }
    for (const length of [1, 4, 7, 8, 9, 20, 27, 30, 100, SIZE - 1]) {
      const inspected = inspectBytes(MAIN.subarray(0, BEGIN + SIZE + length));
      expect([length, inspected.summary.faults.map(({ code }) => code)]).toEqual([length, ["truncated"]]);
      expect(inspected.summary.facts).toContainEqual(
        expect.objectContaining({ key: "whole_checkpoints", value: 1 }),
      );
      expect(wholeCheckpoints(inspected)).toEqual(["checkpoints[0]"]);
    }
  });

  it("are read although one of them is damaged", () => {
    const second = BEGIN + SIZE;
    const damage: readonly (readonly [what: string, bytes: Uint8Array])[] = [
      ["another message than REQUEST", patched(second + 3, 6)],
      ["no message for REQUEST", patched(second, 0x40)],
      ["another message than SEND", patched(second + 7, 2)],
      ["another message than SIZE", patched(second + 30, 5)],
      ["a size too small", patched(second + 38, 0x0c, 0x14)],
      ["a hostile size", patched(second + 31, 0xff, 0xff, 0xff, 0xff)],
      ["the footer of ram", patched(second + 21, 0)],
      ["EOF of the memory", patched(second + 26, 0x55)],
      ["a version", patched(second + 39 + 1 + 4 + 1 + "timer".length + 7, 9)],
      ["EOF of the devices", patched(second + SIZE - 1, 0x55)],
    ];
    for (const [what, bytes] of damage) {
      const inspected = inspectBytes(bytes);
      const { summary } = inspected;
      expect([what, summary.faultCount > 0]).toEqual([what, true]);
      expect([what, wholeCheckpoints(inspected)]).toEqual([
        what,
        ["checkpoints[0]", "checkpoints[2]", "checkpoints[3]"],
      ]);
      const first = Math.min(...summary.faults.map(({ offset }) => offset));
      expect([what, first >= second - 1 && first <= second + SIZE]).toEqual([what, true]);
    }
  });

  it("cannot come where COLO was not switched on before the first section", () => {
    const at = inspectBytes(MAIN).records.find(({ name }) => name === "MIG_CMD_ENABLE_COLO")?.at ?? 0;
    const { summary } = inspectBytes(patched(at + 2, 2));
    expect(summary.faultCount).toBeGreaterThan(0);
  });

  it("retain nothing of those that are over", () => {
    const inspection = openInspection("qemu-stream", { record: () => {} }, { withFields: false });
    inspection.push(MAIN.subarray(0, BEGIN));
    const checkpoint = MAIN.subarray(BEGIN, BEGIN + SIZE);
    for (let i = 0; i < 1100; i++) inspection.push(checkpoint);
    const { facts, tables, faultCount } = inspection.end();
    expect(faultCount).toBe(0);
    expect(facts).toContainEqual(expect.objectContaining({ key: "checkpoint_count", value: 1100 }));
    expect(tables.find(({ key }) => key === "checkpoints")?.rows.length).toBe(1000);
  });
});

describe("the secondary's side of COLO", () => {
  it("is read as a return path, and fits the primary's", () => {
    const { records, summary } = inspectBytes(RETURN);
    expect(summary).toMatchObject({ kind: "qemu-return-path", faultCount: 0 });
    expect(summary.verdict).toMatch(/^complete/);
    expect(records.map(({ name }) => name.replace("COLO_MESSAGE_", "")).slice(0, 4)).toEqual([
      ...["CHECKPOINT_READY", "CHECKPOINT_REPLY", "VMSTATE_RECEIVED", "VMSTATE_LOADED"],
    ]);
    expect(together(MAIN, RETURN)).toMatch(/^clean/);
    expect(together(MAIN, RETURN.subarray(0, 4 + 2 * 12))).toContain("has loaded 2 checkpoints");
    expect(together(MAIN.subarray(0, BEGIN), RETURN)).toContain("has sent 0 of 0");
  });

  it("is the same however it is cut, and incomplete where a checkpoint is", () => {
    const whole = inspectBytes(RETURN, { withFields: true });
    fc.assert(
      fc.property(anyCuts(RETURN.length), (cuts) => {
        expect(inspectBytes(RETURN, { kind: "qemu-return-path", withFields: true, cuts })).toEqual(whole);
      }),
    );
    for (let end = 8; end < RETURN.length; end++) {
      const { summary } = inspectBytes(RETURN.subarray(0, end), { kind: "qemu-return-path" });
      expect([end, summary.faultCount > 0]).toEqual([end, end % 12 !== 4]);
    }
  });

  it("says which message is out of turn", () => {
    const wrong = RETURN.slice();
    wrong.set(encodeColoMessage({ message: 6 }), 8);
    expect(inspectBytes(wrong, { kind: "qemu-return-path" }).summary.verdict).toContain(
      "COLO_MESSAGE_VMSTATE_LOADED, where COLO_MESSAGE_VMSTATE_RECEIVED comes",
    );
  });
});

function together(...files: readonly Uint8Array[]): string {
  const check = new MigrationCheck();
  for (const [index, bytes] of files.entries()) {
    const kind = index === 0 ? "qemu-stream" : "qemu-return-path";
    const sink = check.open(`file ${index}`, kind, { record: () => {} });
    const inspection = openInspection(kind, sink, { withFields: false });
    inspection.push(bytes);
    check.close(inspection.end());
  }
  return check.end().verdict;
}
