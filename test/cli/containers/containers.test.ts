import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { virtwire } from "../harness.js";
import { bigEndian, COOKIE, DOMAIN, fileOf, libvirtHead, libvirtImage } from "./images.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../captures/${name}`, import.meta.url)));
}

const PLAIN = capture("x86-q35-multifd-main.bin");
const ZSTD = capture("x86-q35-multifd-main.bin.zst");
const XZ = capture("x86-q35-multifd-main.bin.xz");
const QCOW2 = new Uint8Array(gunzipSync(capture("microvm-savevm.qcow2.gz")));
const MAPPED = new Uint8Array(gunzipSync(capture("microvm-mapped-ram-at-4096.bin.gz")));

const wrapped: Readonly<Record<string, readonly [Uint8Array, string]>> = {
  gzip: [gzipSync(PLAIN), "gzip"],
  "gzip in two members": [
    Buffer.concat([gzipSync(PLAIN.subarray(0, 5000)), gzipSync(PLAIN.subarray(5000))]),
    "gzip",
  ],
  zstd: [ZSTD, "zstd"],
  xz: [XZ, "xz"],
  "a save image": [libvirtImage(PLAIN), "libvirt save image"],
  "a save image, with zstd, of a big-endian machine": [
    libvirtImage(ZSTD, { format: 5, order: bigEndian }),
    "libvirt save image › zstd",
  ],
  "a save image, packed again": [gzipSync(libvirtImage(XZ, { format: 3 })), "gzip › libvirt save image › xz"],
  "an unfinished save image": [
    libvirtImage(PLAIN, { magic: "LibvirtQemudPart" }),
    "unfinished libvirt save image",
  ],
};

interface Report {
  readonly summary: Readonly<Record<string, unknown>>;
}

/** What `inspect --format json` says. */
async function inspected(path: string, input: readonly Uint8Array[] = []): Promise<Report> {
  return JSON.parse((await virtwire(["inspect", "--format", "json", path], { input })).out);
}

/** As text: there are tens of thousands of values to compare. */
function withoutWrappers({ summary, ...rest }: Report): string {
  const facts = Object.entries(summary).filter(([key]) => !/^(wrappers|libvirt_|notes)/.test(key));
  return JSON.stringify({ ...rest, summary: facts });
}

function pieces(content: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(content.length / size);
  return Array.from({ length: count }, (_, i) => content.slice(i * size, i * size + size));
}

describe("what a capture is wrapped in", () => {
  it.each(Object.entries(wrapped))("is taken off: %s", async (_, [content, inside]) => {
    const plain = withoutWrappers(await inspected(fileOf(PLAIN)));
    const text = await virtwire(["inspect", fileOf(content)]);
    expect(text.out).toMatch(new RegExp(`^inside +${inside}$`, "m"));
    expect([text.code, text.err]).toEqual([0, ""]);
    const found = await inspected(fileOf(content));
    expect(found.summary["wrappers"]).toEqual(inside.split(" › "));
    expect(withoutWrappers(found) === plain).toBe(true);
    expect(withoutWrappers(await inspected("-", pieces(content, 777))) === plain).toBe(true);
  });

  it("is taken off for the other verbs as well", async () => {
    const { out, code } = await virtwire([
      "get",
      "--raw",
      fileOf(libvirtImage(ZSTD)),
      "configuration.machine",
    ]);
    expect([out, code]).toEqual(["pc-q35-10.0\n", 0]);
    const session = gzipSync(capture("vhost-user-qsd.jsonl"));
    expect((await virtwire(["check", fileOf(session)])).out).toMatch(/: 74 messages, no rule is broken\n/);
  });

  it("says what a save image says of its domain", async () => {
    const { summary } = await inspected(fileOf(libvirtImage(PLAIN, { order: bigEndian })));
    expect(summary).toMatchObject({
      libvirt_format: 0,
      libvirt_byte_order: "big-endian",
      libvirt_was_running: true,
      libvirt_domain: DOMAIN,
      libvirt_cookie: COOKIE,
    });
  });

  it.each([
    ["gzip", gzipSync(PLAIN), 1],
    ["zstd", ZSTD, 1],
    ["xz", XZ, 1],
    ["gzip", gzipSync(PLAIN), 2000],
    ["zstd", ZSTD, 2000],
    ["xz", XZ, 2000],
  ] as const)(
    "is damage where it is cut, and what came before is shown: %s",
    async (kind, content, missing) => {
      const cut = content.subarray(0, content.length - missing);
      for (const { code, err } of [
        await virtwire(["inspect", fileOf(cut)]),
        await virtwire(["inspect", "-"], { input: pieces(cut, 100) }),
      ]) {
        expect(code).toBe(4);
        expect(err).not.toBe("");
      }
      const { summary } = await inspected(fileOf(cut));
      expect(summary["machine"]).toBe("pc-q35-10.0");
      expect(JSON.stringify(summary["faults"])).toContain(`"path":"${kind}"`);
      expect(summary["verdict"]).toMatch(/^damaged/);
    },
  );

  it("is damage where it is not what it was, too", async () => {
    for (const content of [gzipSync(PLAIN), XZ]) {
      const flipped = content.slice();
      flipped[flipped.length - 1500] = (flipped[flipped.length - 1500] as number) ^ 0x10;
      const { code } = await virtwire(["inspect", fileOf(flipped)]);
      expect(code).toBe(4);
    }
    for (const options of [{ version: 3 }, { version: 0 }]) {
      const { code, err } = await virtwire(["inspect", fileOf(libvirtImage(PLAIN, options))]);
      expect(code).toBe(4);
      expect(err).toContain("version");
    }
    const cut = fileOf(libvirtHead().subarray(0, 60));
    expect((await virtwire(["inspect", cut])).code).toBe(4);
  });

  it("is named where it cannot be taken off, or is too much", async () => {
    const bzip2 = await virtwire(["inspect", fileOf(libvirtImage(new TextEncoder().encode("BZh91AY&SY")))]);
    expect([bzip2.code, bzip2.err]).toEqual([
      4,
      expect.stringMatching(/libvirt save image › not supported: compressed by bzip2: unpack it first/),
    ]);
    let deep: Uint8Array = PLAIN;
    for (let depth = 0; depth < 5; depth++) deep = gzipSync(deep);
    const nested = await virtwire(["inspect", fileOf(deep)]);
    expect([nested.code, nested.err]).toEqual([4, expect.stringContaining("compressed by gzip")]);
  });

  it("is a sparse save image: offsets of the memory in it are those of the file", async () => {
    const image = MAPPED.slice();
    image.set(libvirtHead({ format: 6 }));
    for (const found of [await inspected(fileOf(image)), await inspected("-", pieces(image, 1 << 16))]) {
      expect(found.summary).toMatchObject({ machine: "microvm", fault_count: 0, libvirt_format: 6 });
      expect(found.summary["verdict"]).toMatch(/^clean/);
      expect(found.summary["size"]).toBe(image.length - 4096);
    }
  });
});

describe("the snapshots of a qcow2 image", () => {
  it("are offered where there are several", async () => {
    const { code, err } = await virtwire(["inspect", fileOf(QCOW2)]);
    expect(code).toBe(2);
    expect(err).toContain("2 snapshots: say which with --snapshot NAME");
    expect(err).toMatch(/first \(id 1, 2026-.*, 68213 bytes\)\n +second \(id 2,/);
    const other = await virtwire(["inspect", "--snapshot", "third", fileOf(QCOW2)]);
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('no snapshot "third"')]);
  });

  it.each(["first", "second", "2"])("hold the state of a machine: %s", async (name) => {
    const { out, code } = await virtwire(["inspect", "--snapshot", name, fileOf(QCOW2)]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /QEMU migration stream, 68,213 bytes\ninside +qcow2 snapshot\nsnapshot +(first|second) /,
    );
    expect(out).toMatch(/verdict +clean: every byte is accounted for, and every device agrees/);
  });

  it("cannot be read from what only flows", async () => {
    const { code, err } = await virtwire(["inspect", "-"], { input: [QCOW2] });
    expect([code, err]).toEqual([4, expect.stringContaining("give the file itself")]);
  });
});
