/**
 * The digests are of what QEMU 10.0.2's scripts/analyze-migration.py itself prints for the captures; the oracle test
 * runs the script.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type DumpPart,
  type DumpSummary,
  MigrationDump,
} from "../../../src/inspect/analyze-migration/index.js";
import { findDescription } from "../../../src/streams/index.js";
import { virtwire } from "../../cli/harness.js";

const DIGESTS: readonly (readonly [capture: string, part: DumpPart, sha256: string])[] = [
  ["x86-q35-net-blk", "state", "4286b0ad794bdd368c323e1981645562961151ef5fdc75ba45caea07ca6f173b"],
  ["x86-q35-net-blk", "desc", "1b5f6eca3a68d9e18dcc52b13323c0d1966c37077ff5351af3799a864241ab76"],
  ["aarch64-virt-mmio", "state", "3728620c15da10d82061e6b6c5989a2813c40c28556fe4f24dca57e13f5f565c"],
  ["aarch64-virt-mmio", "desc", "3c2daa4de740ddc4b30540b836bd3cae6356540de3e19306015efd8f9d72593c"],
  ["s390x-ccw", "state", "2b2d98858bdd14c26eb30def599fbcb689a8cd1bdec3cacaad6d3b1a850a82ce"],
  ["s390x-ccw", "desc", "65effc2badb47d82dd76a1607c4f396361323ca85049162dd6f5a279e9a2887f"],
  ["x86-q35-multifd-main", "state", "33bc89506ae3214b7debcb69620a7e2e95068d542dae794c895df4c73fc18687"],
  ["x86-q35-multifd-main", "desc", "35c8ee16c4cb3019c06897d0965eb7ab588f23e1f25de76c1d0890de337b70a9"],
];

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`test/captures/${name}.bin`));
}

function dump(
  part: DumpPart,
  bytes: Uint8Array,
  cuts: readonly number[] = [],
): DumpSummary & { text: string } {
  const inspection = new MigrationDump(part, cuts.length > 0 ? undefined : findDescription(bytes));
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const chunk = bytes.slice(from, cut);
    inspection.push(chunk);
    chunk.fill(0xaa);
    from = cut;
  }
  let text = "";
  const summary = inspection.end((piece) => {
    text += piece;
  });
  return { ...summary, text };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

describe("what analyze-migration.py prints", () => {
  it.each(DIGESTS)("%s, %s", (name, part, digest) => {
    const { text, faults, unprinted } = dump(part, capture(name));
    expect([sha256(text), faults, unprinted]).toEqual([digest, [], []]);
  });

  it("is the same from a pipe, where the description comes last", () => {
    const { text } = dump("state", capture("s390x-ccw"), [5, 100_000, 300_001]);
    expect(sha256(text)).toBe(DIGESTS[4]?.[2]);
  });

  it("goes on where the script stops: a return path in the stream", () => {
    const { text, faults } = dump("state", capture("x86-q35-return-path"));
    expect(faults).toEqual([]);
    expect(Object.keys(JSON.parse(text) as object)).toContain("ram (2)");
  });

  it("goes on behind damage, and says where it is", () => {
    const bytes = capture("s390x-ccw");
    const whole = JSON.parse(dump("state", bytes).text) as Record<string, unknown>;
    const at = new TextDecoder("latin1").decode(bytes).indexOf("/virtio-blk") + 40;
    const short = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
    const { text, faults } = dump("state", short);
    expect(faults.length).toBeGreaterThan(0);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(Object.keys(whole));
  });
});

describe("virtwire inspect --compat analyze-migration", () => {
  it("prints the state, or with -d the description, and gives 0", async () => {
    const path = "test/captures/aarch64-virt-mmio.bin";
    const state = await virtwire(["inspect", "--compat", "analyze-migration", path]);
    expect([state.code, state.err, sha256(state.out)]).toEqual([0, "", DIGESTS[2]?.[2]]);
    const desc = await virtwire(["inspect", "--compat", "analyze-migration", "-d", "desc", path]);
    expect([desc.code, desc.err, sha256(desc.out)]).toEqual([0, "", DIGESTS[3]?.[2]]);
  });

  it("says in one line what is missing, and gives 4", async () => {
    const path = "test/captures/x86-q35-return-path.return.bin";
    const { code, out, err } = await virtwire(["inspect", "--compat", "analyze-migration", path]);
    expect([code, out]).toEqual([4, ""]);
    expect(err).toMatch(/^test\/captures\/x86-q35-return-path\.return\.bin:0x0: [^\n]+\n$/);
  });

  it.each([
    [["-d"], "-d needs a value"],
    [["-d", "memory"], "memory"],
    [["-dx"], "unknown option -d"],
  ])("refuses %j", async (options, message) => {
    const { code, err } = await virtwire([
      "inspect",
      "--compat",
      "analyze-migration",
      "test/captures/s390x-ccw.bin",
      ...options,
    ]);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
