import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const CAPTURE = "test/captures/x86-q35-net-blk.bin";
const ORIGINAL = readFileSync(CAPTURE);

interface Edited {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
  readonly path: string;
}

async function edited(...options: readonly string[]): Promise<Edited> {
  const path = join(temporaryFolder(), "out.bin");
  const ran = await virtwire(["edit", CAPTURE, ...options, "-o", path]);
  return { ...ran, bytes: readFileSync(path), path };
}

/** What analyze-migration.py shows of it: the test of --compat holds that to the script. */
async function state(path: string): Promise<Record<string, unknown>> {
  const { out } = await virtwire(["inspect", "--compat", "analyze-migration", path]);
  return JSON.parse(out) as Record<string, unknown>;
}

describe("virtwire edit", () => {
  it("changes the bytes of the field and no others", async () => {
    const mac = 'sections["0000:00:01.0/virtio-net"].virtio.device.mac';
    const { code, out, err, bytes } = await edited("--set", `${mac}=52:54:00:aa:bb:cc`);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`0xeb8ad  ${mac}: 52 54 00 12 34 56 → 52:54:00:aa:bb:cc`);
    expect(out).toContain("verdict  clean");
    const expected = Buffer.from(ORIGINAL);
    expected.set([0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc], 0xeb8ad);
    expect(bytes.equals(expected)).toBe(true);
  });

  it("leaves a section out, with its footer and its entry in the description", async () => {
    const { code, out, bytes, path } = await edited("--drop", "kvmclock");
    expect(code).toBe(0);
    expect(out).toContain('sections["kvmclock"]: dropped, 68 bytes');
    const [at, size] = [0xe4165, 68];
    expect(bytes.subarray(0, at).equals(ORIGINAL.subarray(0, at))).toBe(true);
    const json = ORIGINAL.lastIndexOf('{"configuration"');
    expect(bytes.subarray(at, json - size - 4).equals(ORIGINAL.subarray(at + size, json - 4))).toBe(true);
    expect(bytes.readUInt32BE(json - size - 4)).toBe(bytes.length - (json - size));
    const after = await state(path);
    const before = await state(CAPTURE);
    const [key] = Object.keys(before).filter((name) => name.startsWith("kvmclock "));
    delete before[key ?? ""];
    expect(after).toEqual(before);
  });

  it("tells instances apart", async () => {
    const { path } = await edited("--drop", "i8259#1");
    const names = Object.keys(await state(path)).filter((name) => name.startsWith("i8259 "));
    expect(names).toEqual(["i8259 (17)"]);
  });

  it("changes the machine type, whatever its length", async () => {
    const { code, bytes, path } = await edited("--set", "configuration.machine=pc-q35-9.2");
    expect(code).toBe(0);
    expect(bytes.length).toBe(ORIGINAL.length - 1);
    expect((await virtwire(["get", "--raw", path, "configuration.machine"])).out).toBe("pc-q35-9.2\n");
  });

  it("finds the byte order of a field that has either", async () => {
    // The capacity of a modern disk is little-endian, and zero bytes do not tell.
    const field = 'sections["0000:00:01.0/virtio-net"].virtio.config.net.status';
    const { code, path } = await edited("--set", `${field}=0x102`);
    expect(code).toBe(0);
    expect((await virtwire(["get", "--raw", path, field])).out).toBe("258\n");
  });

  it("does several things at once", async () => {
    const { code, out } = await edited(
      "--set=sections[timer].cpu_clock_offset=-5",
      "--set",
      "configuration.machine=pc-q35-9.2",
      "--drop=serial",
    );
    expect(code).toBe(0);
    expect(out.split("\n").filter((line) => line.startsWith("0x"))).toHaveLength(3);
  });

  it("takes a stream out of its wrapper", async () => {
    const folder = temporaryFolder();
    const [wrapped, out] = [join(folder, "vm.mig.gz"), join(folder, "out.bin")];
    writeFileSync(wrapped, gzipSync(ORIGINAL));
    const ran = await virtwire(["edit", wrapped, "--set", "sections[timer].cpu_clock_offset=-5", "-o", out]);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain("note     the stream was in a wrapper (gzip");
    const { bytes } = await edited("--set", "sections[timer].cpu_clock_offset=-5");
    expect(readFileSync(out).equals(bytes)).toBe(true);
  });

  it("says where the same value stands a second time", async () => {
    const features = 'sections["0000:00:02.0/virtio-blk"].virtio["virtio/64bit_features"].guest_features';
    const { out } = await edited("--set", `${features}=0x130000000`);
    expect(out).toMatch(
      /note {5}sections\["0000:00:02\.0\/virtio-blk"\]\.virtio\.guest_features_lo at 0x[0-9a-f]+ has the same value/,
    );
  });

  it("gives 4 when the result is not sound", async () => {
    const field = 'sections["0000:00:01.0/virtio-net"].virtio.pci.device.version_id';
    const { code, out, err } = await edited("--set", `${field}=3`);
    expect(code).toBe(4);
    expect(out).toContain("verdict  damaged");
    expect(err).toContain("version_id");
  });

  it.each([
    [[], "nothing to do"],
    [["--set", "configuration.machine"], "PATH=VALUE"],
    [["--set", "sections[nothing].x=1"], "no value matches"],
    [["--set", "sections[timer].cpu_clock_offset=x"], "neither a number nor a name"],
    [["--set", "sections[timer]=1"], "name one of them"],
    [["--set", "sections[timer"], "PATH=VALUE"],
    [["--set", "sections[timer].body_size=1"], "cannot be set"],
    [["--drop", "nothing"], "no section matches nothing"],
    [["--drop", "ram"], "ram stays"],
    [["--drop", "timer", "--set", "sections[timer].cpu_clock_offset=1"], "two changes"],
  ])("refuses %j, and writes nothing", async (options, message) => {
    const path = join(temporaryFolder(), "out.bin");
    writeFileSync(path, "as it was");
    const { code, err } = await virtwire(["edit", CAPTURE, ...options, "-o", path]);
    expect([code, readFileSync(path, "utf8")]).toEqual([2, "as it was"]);
    expect(err).toContain(message);
  });

  it("does not write over the stream, under whatever name", async () => {
    expect((await virtwire(["edit", CAPTURE, "--drop", "timer", "-o", `./${CAPTURE}`])).err).toContain(
      "is read: write to another file",
    );
    expect(readFileSync(CAPTURE).equals(ORIGINAL)).toBe(true);
  });

  it("names the file that there is no room for", async () => {
    const { code, err } = await virtwire(["edit", CAPTURE, "--drop", "timer", "-o", "/dev/full"]);
    expect([code, err]).toEqual([2, "/dev/full: no space left on device\n"]);
  });
});
