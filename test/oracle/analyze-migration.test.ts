/**
 * Device fields, and the output that stands in for the script's, against QEMU's own scripts/analyze-migration.py, run on
 * the same captures. Set ANALYZE_MIGRATION to the script of a QEMU source tree, and ANALYZE_CAPTURES to streams of your
 * own: paths with commas between.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DumpPart, MigrationDump } from "../../src/inspect/analyze-migration/index.js";
import type { Node } from "../../src/inspect/index.js";
import { inspectBytes } from "../inspect/inspect-bytes.js";

const script = process.env["ANALYZE_MIGRATION"];
const captures = (process.env["ANALYZE_CAPTURES"] ?? "x86-q35-net-blk,aarch64-virt-mmio,s390x-ccw").split(
  ",",
);

/** The script reads these as signed whatever their name says. */
const SIGNED = new Set([
  "int8",
  "int16",
  "int32",
  "int32 equal",
  "int32 le",
  "int64",
  "int64 equal",
  "uint8 equal",
  "uint16 equal",
]);
const UNSIGNED = new Set(["uint8", "uint16", "uint32", "uint32 equal", "uint64"]);
/** The script has no reader for these and shows their bytes. */
const OPAQUE = new Set([
  "qtailq",
  "qlist",
  "gtree",
  "timer",
  "CPU_Double_U",
  "tmp",
  "vstruct",
  "virtio",
  "virtio-gpu",
  "scsi-requests",
]);

/** A field as the script prints it. */
function asScript(node: Node, file: Uint8Array): unknown {
  const bytes = file.subarray(node.at, node.at + node.size);
  const element = node.type.replace(/\[\d+\]$/, "");
  if (node.children !== undefined && element !== node.type)
    return node.children.map((child) => asScript(child, file));
  if (OPAQUE.has(node.type)) return hexBytes(bytes);
  if (node.children !== undefined)
    return Object.fromEntries(node.children.map((child) => [child.name, asScript(child, file)]));
  if (node.type === "nullptr") return "nullptr";
  if (node.type === "bool") return node.value !== 0;
  if (SIGNED.has(node.type) || UNSIGNED.has(node.type)) {
    const bits = node.size * 8;
    const value = BigInt(node.value as number | bigint);
    const digits = `0x${BigInt.asUintN(bits, value)
      .toString(16)
      .padStart(node.size * 2, "0")}`;
    const signed = SIGNED.has(node.type) ? BigInt.asIntN(bits, value) : value;
    return signed < 0n ? `${digits} (${signed})` : digits;
  }
  return hexBytes(bytes);
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function pathOf(name: string): string {
  return name.includes("/") ? name : `test/captures/${name}.bin`;
}

describe.runIf(script !== undefined)("the output of analyze-migration.py", () => {
  it.each(
    captures.flatMap((name) => [
      [name, "state"],
      [name, "desc"],
    ]),
  )("%s, %s", (name, part) => {
    const theirs = execFileSync("python3", [script ?? "", "-d", part, "-f", pathOf(name)], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const dump = new MigrationDump(part as DumpPart, undefined);
    dump.push(new Uint8Array(readFileSync(pathOf(name))));
    let ours = "";
    dump.end((piece) => {
      ours += piece;
    });
    expect(ours === theirs).toBe(true);
  });
});

describe.runIf(script !== undefined)("fields of devices agree with analyze-migration.py", () => {
  it.each(captures)("%s", (name) => {
    const path = pathOf(name);
    const file = new Uint8Array(readFileSync(path));
    const theirs = JSON.parse(
      execFileSync("python3", [script ?? "", "-f", path], { encoding: "utf8", maxBuffer: 1 << 28 }),
    ) as Record<string, unknown>;
    const { records } = inspectBytes(file, { withFields: true });
    // Live sections apart: the script has readers of its own for two of them, which show pages and not fields.
    const devices = records.filter(
      (record) => record.fields !== undefined && record.attributes["phase"] === "full",
    );
    const ours = devices.map((record) => [
      `${record.name} (${record.attributes["section_id"]})`,
      Object.fromEntries((record.fields ?? []).map((node) => [node.name, asScript(node, file)])),
    ]);
    const expected = Object.entries(theirs).filter(([key]) => !/^(?:ram|s390-storage_attributes) /.test(key));
    expect(ours.length).toBeGreaterThan(10);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(expected));
  });
});
