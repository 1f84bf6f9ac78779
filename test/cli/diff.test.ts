import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { deviceContext } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const capture = (name: string): string => fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
const S390 = capture("s390x-ccw.bin");
const X86 = capture("x86-q35-net-blk.bin");
const QSD = capture("vhost-user-qsd.jsonl");

interface LeafRow {
  readonly path: string;
  readonly type?: string;
  readonly _offset?: number;
}

interface Row {
  readonly change: string;
  readonly path: string;
  readonly gone?: readonly string[];
  readonly come?: readonly string[];
  readonly first?: LeafRow;
}

function rows<T>(out: string): T[] {
  return out
    .trimEnd()
    .split("\n")
    .map((line): T => JSON.parse(line));
}

/** A copy of the file with some bytes changed. */
function changed(path: string, change: (bytes: Buffer) => Buffer): string {
  const copy = join(temporaryFolder(), "changed.bin");
  writeFileSync(copy, change(readFileSync(path)));
  return copy;
}

function flip(at: number, bits: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ bits, at);
    return bytes;
  };
}

describe("virtwire diff", () => {
  it("finds nothing between a capture and itself", async () => {
    const { code, out } = await virtwire(["diff", S390, S390]);
    expect([code, out.split("\n")[2]]).toEqual([0, "no differences"]);
    expect((await virtwire(["diff", S390, "-"], { input: [readFileSync(S390)] })).code).toBe(0);
  });

  it("names the one field whose byte was changed, wherever it is", async () => {
    const leaves = rows<LeafRow>(
      (await virtwire(["get", S390, "sections.**", "--format", "jsonl"])).out,
    ).filter(({ type = "", path }) => /^(?:uint(?:32|64)|buffer)$/.test(type) && !/virtio|ram/.test(path));
    expect(leaves.length).toBeGreaterThan(100);
    for (let i = 0; i < leaves.length; i += Math.ceil(leaves.length / 8)) {
      const { path, _offset: at = 0 } = leaves[i] as LeafRow;
      const other = changed(S390, flip(at, 1));
      const { code, out } = await virtwire(["diff", S390, other, "--format", "jsonl"]);
      const [row, summary] = rows<Row>(out);
      expect([code, row?.change, row?.path, row?.first?._offset], path).toEqual([1, "changed", path, at]);
      expect(summary).toEqual({ change: "summary", changed: 1, only_first: 0, only_second: 0 });
    }
  });

  it("says of features which bits have gone and which have come", async () => {
    const path = 'sections["0000:00:01.0/virtio-net"].**.guest_features_lo';
    const [leaf] = rows<LeafRow>((await virtwire(["get", X86, path, "--format", "jsonl"])).out);
    // MTU (3) and MAC (5), big-endian: both in the last byte.
    const other = changed(X86, flip((leaf?._offset ?? 0) + 3, 0x28));
    const { out } = await virtwire(["diff", X86, other, "--format", "jsonl"]);
    const row = rows<Row>(out).find(({ path: where }) => where === leaf?.path);
    expect([...(row?.gone ?? []), ...(row?.come ?? [])].sort()).toEqual([
      "VIRTIO_NET_F_MAC",
      "VIRTIO_NET_F_MTU",
    ]);
    expect((await virtwire(["diff", X86, other])).out).toContain("VIRTIO_NET_F_MTU  (virtio 1.4, 5.1.3)\n");
  });

  it("leaves out what is to be ignored, and compares structure alone when asked to", async () => {
    const later = capture("x86-q35-return-path.bin");
    const all = await virtwire(["diff", X86, later]);
    expect([all.code, all.err]).toEqual([1, ""]);
    expect(all.out).toContain('~ sections["timer"].cpu_ticks_offset');
    expect(all.out).toContain('- sections["kvmclock"]: 3 values, 68 bytes  @0xe4165');
    expect(all.out).toMatch(/\+ sections\["cpu"\]\["cpu\/msr_smi_count"\]: 1 value, 8 bytes {2}@0x[0-9a-f]+/);
    const some = await virtwire(["diff", X86, later, "--ignore", "sections[timer]", "--ignore=**[kvm*]"]);
    expect(some.out).not.toMatch(/\["timer"\]|kvmclock/);
    const schema = await virtwire(["diff", "--schema", X86, later]);
    expect(schema.code).toBe(1);
    expect(schema.out).toContain("kvmclock");
    expect(schema.out).not.toContain("cpu_ticks_offset");
    expect((await virtwire(["diff", X86, later, "--ignore", "**"])).code).toBe(0);
  });

  it("goes on with the next message when one side has one more", async () => {
    const other = changed(QSD, (bytes) => {
      const lines = bytes.toString().split("\n");
      const at = lines.findIndex((line) => line.includes('"hex": "03'));
      return Buffer.from(lines.filter((_, i) => i !== at).join("\n"));
    });
    const { code, out } = await virtwire(["diff", QSD, other, "--format", "jsonl"]);
    expect(code).toBe(1);
    const found = rows<Row>(out);
    expect(found.map(({ change }) => change)).toContain("only-first");
    expect(found.length).toBeLessThan(6);
  });

  it("finds a field of a device context by its type", async () => {
    const { bytes } = deviceContext();
    const folder = temporaryFolder();
    const path = join(folder, "context.bin");
    writeFileSync(path, bytes);
    expect((await virtwire(["diff", "--as", "device-context", path, path])).code).toBe(0);
    const other = changed(path, flip(0x2e, 1));
    const { out } = await virtwire(["diff", "--as", "device-context", path, other]);
    expect(out).toMatch(
      /^~ fields\[\d\]\.[a-z_.]*queue_size: 256 \(0x100\) descriptors -> 257 \(0x101\) descriptors {2}@0x2e$/m,
    );
  });

  it("compares damaged files as far as they can be read, and gives 4", async () => {
    const cut = changed(S390, (bytes) => bytes.subarray(0, 330_000));
    const { code, out, err } = await virtwire(["diff", S390, cut]);
    expect(code).toBe(4);
    expect(err).toMatch(/changed\.bin:0x[0-9a-f]+: /);
    expect(out).toMatch(/^- sections\["/m);
  });

  it("refuses to compare what cannot be compared", async () => {
    expect(await virtwire(["diff", S390, QSD])).toMatchObject({ code: 2, out: "" });
    expect((await virtwire(["diff", S390, S390, "--ignore", "sections["])).err).toContain(
      "--ignore sections[: character 10",
    );
    expect((await virtwire(["diff", "-", "-"])).code).toBe(2);
  });
});
