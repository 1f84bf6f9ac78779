/** `virtwire convert`: what is written, what the report says, and what is refused. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodeVirtioDevCtx, encodeVirtioDevCtx } from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { temporaryFolder, virtwire } from "./harness.js";

const STREAM = "test/captures/x86-q35-net-blk.bin";
const BLK = "0000:00:02.0/virtio-blk";
const NET = "0000:00:01.0/virtio-net";

/** A state that no idle guest has: see test/captures/README.md. */
function unpacked(name: string, folder: string): string {
  const file = join(folder, `${name}.bin`);
  writeFileSync(file, gunzipSync(readFileSync(`test/captures/virtio-states/${name}.bin.gz`)));
  return file;
}

/** A context whose device has given all of its buffers back. */
function withoutOwned(context: Uint8Array): Uint8Array {
  const { fields } = decodeVirtioDevCtx(context, VirtioDeviceId.VIRTIO_ID_BLOCK);
  const given = fields.map((field) =>
    field.value.case === "vqSplitDevOwnDesc"
      ? { ...field, value: { ...field.value, value: { ...field.value.value, descIdx: [] } } }
      : field,
  );
  return encodeVirtioDevCtx({ fields: given }, VirtioDeviceId.VIRTIO_ID_BLOCK);
}

interface Report {
  readonly lost: readonly { readonly path: string; readonly value: string; readonly reason: string }[];
  readonly elsewhere: readonly { readonly path: string }[];
  readonly assumed: readonly { readonly path: string; readonly value: string }[];
}

function reportIn(out: string): Report {
  return JSON.parse(out) as Report;
}

describe("convert", () => {
  it("takes a device out of a stream, and puts it back byte for byte", async () => {
    const folder = temporaryFolder();
    const [context, back] = [join(folder, "blk.ctx"), join(folder, "back.mig")];
    const there = await virtwire([
      "convert",
      STREAM,
      "--device",
      BLK,
      "--to",
      "device-context",
      "-o",
      context,
    ]);
    expect([there.code, there.err]).toEqual([0, ""]);
    expect(there.out).toContain("block, 0xf DRIVER_OK, 3 features accepted, 1 of 1 virtqueues enabled");
    expect(there.out).toMatch(/nothing is lost\n$/);
    const seen = await virtwire(["inspect", "--device", "blk", context]);
    expect(seen.out).toContain("clean: every byte is accounted for");
    const home = await virtwire([
      ...["convert", context, "--device", BLK, "--to", "qemu", "--into", STREAM, "-o", back],
    ]);
    expect([home.code, home.err]).toEqual([0, ""]);
    expect(readFileSync(back).equals(readFileSync(STREAM))).toBe(true);
  });

  it.each(["device-context", "device-parts", "vfio-virtio"])(
    "writes %s, which each other format can be made of",
    async (to) => {
      const folder = temporaryFolder();
      const first = join(folder, "first");
      const args = ["--device", "blk"];
      await virtwire(["convert", STREAM, "--device", "virtio-blk", "--to", to, "-o", first]);
      for (const next of ["device-context", "device-parts", "vfio-virtio"]) {
        const [second, third] = [join(folder, `second.${next}`), join(folder, `third.${next}`)];
        const on = await virtwire(["convert", first, ...args, "--to", next, "-o", second]);
        expect([on.code, on.err]).toEqual([0, ""]);
        const again = await virtwire(["convert", second, ...args, "--to", next, "-o", third]);
        expect(again.code).toBe(0);
        // Parts are of the same device whichever way they came; a context has what parts have not.
        if (to === next || to === "device-context") expect(readFileSync(third)).toEqual(readFileSync(second));
      }
    },
  );

  it("refuses to lose anything with --strict", async () => {
    const folder = temporaryFolder();
    const net = unpacked("net", folder);
    const out = join(folder, "net.ctx");
    const argv = ["convert", net, "--device", "virtio-net", "--to", "device-context", "-o", out];
    const strict = await virtwire([...argv, "--strict", "--format", "json"]);
    expect(strict.code).toBe(1);
    expect(strict.err).toBe(`${out} was not written: with --strict nothing may be lost\n`);
    expect(existsSync(out)).toBe(false);
    // What the script told the device: see the README of the captures.
    const { lost } = reportIn(strict.out);
    expect(lost.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["net.allmulti", "net.unicast", "net.multicast", "net.vlans"]),
    );
    const lax = await virtwire(argv);
    expect(lax.code).toBe(0);
    expect(existsSync(out)).toBe(true);
  });

  it("carries what the driver of a network device has set in device parts", async () => {
    const folder = temporaryFolder();
    const net = unpacked("net", folder);
    const [parts, back] = [join(folder, "net.parts"), join(folder, "back.mig")];
    const there = await virtwire([
      ...["convert", net, "--device", "virtio-net", "--to", "device-parts", "-o", parts, "--format", "json"],
    ]);
    expect(reportIn(there.out).lost.filter(({ path }) => path.startsWith("net."))).toEqual([]);
    const home = await virtwire([
      ...["convert", parts, "--device", "virtio-net", "--to", "qemu", "--into", net, "-o", back],
    ]);
    expect(home.code).toBe(0);
    const same = await virtwire(["diff", net, back]);
    expect(same.out).toContain("no differences");
  });

  it("puts requests in flight back with what their descriptors say, out of the stream's memory", async () => {
    const folder = temporaryFolder();
    const file = unpacked("in-flight", folder);
    const [context, back] = [join(folder, "blk.ctx"), join(folder, "back.mig")];
    const device = ["--device", "0000:00:02.0/virtio-blk"];
    await virtwire(["convert", file, ...device, "--to", "device-context", "-o", context]);
    const requests = await virtwire(["get", file, 'sections["0000:00:02.0/virtio-blk"].virtio.device.**']);
    expect(requests.out).toContain("in_addr");
    // The same stream without its requests: they come out of the context, which has their heads alone.
    const without = join(folder, "without.mig");
    const empty = join(folder, "empty.ctx");
    writeFileSync(empty, withoutOwned(readFileSync(context)));
    await virtwire(["convert", empty, ...device, "--to", "qemu", "--into", file, "-o", without]);
    const none = await virtwire(["get", without, 'sections["0000:00:02.0/virtio-blk"].virtio.device.**']);
    expect(none.out).not.toContain("in_addr");
    const home = await virtwire([
      "convert",
      context,
      ...device,
      "--to",
      "qemu",
      "--into",
      without,
      "-o",
      back,
    ]);
    expect([home.code, home.err]).toEqual([0, ""]);
    expect(readFileSync(back).equals(readFileSync(file))).toBe(true);
    const whole = await virtwire(["inspect", without]);
    expect([whole.code, whole.err]).toEqual([0, ""]);
  });

  it("reads what a pipe brings, when told what it is", async () => {
    const folder = temporaryFolder();
    const [context, parts] = [join(folder, "blk.ctx"), join(folder, "blk.parts")];
    await virtwire(["convert", STREAM, "--device", BLK, "--to", "device-context", "-o", context]);
    const { code } = await virtwire(
      ["convert", "-", "--as", "device-context", "--device", "blk", "--to", "device-parts", "-o", parts],
      { input: [readFileSync(context)] },
    );
    expect(code).toBe(0);
    expect(readFileSync(parts).length).toBeGreaterThan(0);
  });

  it("takes the features that the device offers from the command line", async () => {
    const folder = temporaryFolder();
    const argv = [
      "convert",
      STREAM,
      "--device",
      NET,
      "--to",
      "device-context",
      "-o",
      join(folder, "net.ctx"),
    ];
    const assumed = await virtwire([...argv, "--format", "json"]);
    expect(reportIn(assumed.out).assumed.map(({ path }) => path)).toEqual(["device_features"]);
    const told = await virtwire([...argv, "--device-features", "0x10130ff8024", "--format", "json"]);
    expect(reportIn(told.out).assumed).toEqual([]);
  });

  it.each([
    [
      ["convert", STREAM, "--device", "virtio-rng", "--to", "device-parts"],
      2,
      /no whole virtio device is called "virtio-rng": there are 0000:00:01.0\/virtio-net/,
    ],
    [["convert", STREAM, "--device", BLK, "--to", "qemu"], 2, /--to qemu and --into STREAM belong together/],
    [["convert", STREAM, "--device", BLK, "--to", "device-parts", "--into", STREAM], 2, /belong together/],
    [
      ["convert", "test/captures/vhost-user-qsd.jsonl", "--device", "blk", "--to", "device-parts"],
      2,
      /holds no device: it is a vhost-user conversation/,
    ],
    [
      ["convert", STREAM, "--device", NET, "--to", "qemu", "--into", STREAM, "--into-device", BLK],
      2,
      /a device of type 1, in the section is one of type 2/,
    ],
    [
      ["convert", STREAM, "--device", BLK, "--to", "device-parts", "--device-features", "many"],
      2,
      /many is no mask/,
    ],
  ])("says what is wrong with %j", async (argv, wanted, message) => {
    const out = join(temporaryFolder(), "out");
    const { code, err } = await virtwire([...argv, "-o", out]);
    expect([code, message.test(err), err]).toEqual([wanted, true, err]);
    expect(existsSync(out)).toBe(false);
  });

  it("makes nothing of a damaged context, and names the place", async () => {
    const folder = temporaryFolder();
    const [context, cut] = [join(folder, "blk.ctx"), join(folder, "cut.ctx")];
    await virtwire(["convert", STREAM, "--device", BLK, "--to", "device-context", "-o", context]);
    writeFileSync(cut, readFileSync(context).subarray(0, 200));
    const out = join(folder, "out");
    const { code, err } = await virtwire([
      "convert",
      cut,
      "--device",
      "blk",
      "--to",
      "device-parts",
      "-o",
      out,
    ]);
    expect(code).toBe(4);
    expect(err).toMatch(/cut\.ctx:0x[0-9a-f]+: .*fields\[\d\]/);
    expect(existsSync(out)).toBe(false);
  });

  it("does not overwrite what it reads", async () => {
    const { code, err } = await virtwire([
      ...["convert", STREAM, "--device", BLK, "--to", "device-parts", "-o", STREAM],
    ]);
    expect([code, err]).toEqual([2, expect.stringContaining("is read: write to another file")]);
  });
});
