import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../harness.js";
import { bigEndian, COOKIE, DOMAIN, fileOf, libvirtHead, libvirtImage } from "./images.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../captures/${name}`, import.meta.url)));
}

const PLAIN = capture("x86-q35-multifd-main.bin");
const ZSTD = capture("x86-q35-multifd-main.bin.zst");
const XZ = capture("x86-q35-multifd-main.bin.xz");
const BZIP2 = capture("x86-q35-multifd-main.bin.bz2");
const LZOP = capture("x86-q35-multifd-main.bin.lzo");
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
  bzip2: [BZIP2, "bzip2"],
  "bzip2 in two streams, the second of them empty": [
    Buffer.concat([BZIP2, Buffer.from("425a683917724538509000000000", "hex")]),
    "bzip2",
  ],
  lzop: [LZOP, "lzop"],
  "a save image": [libvirtImage(PLAIN), "libvirt save image"],
  ...Object.fromEntries(
    ([gzipSync(PLAIN), BZIP2, XZ, LZOP, ZSTD] as const).map((content, i) => {
      const tool = ["gzip", "bzip2", "xz", "lzop", "zstd"][i] ?? "";
      return [
        `a save image of ${tool}`,
        [libvirtImage(content, { format: i + 1 }), `libvirt save image › ${tool}`],
      ];
    }),
  ),
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

/** `printf x | xz -C crc32 | xz -C crc32` */
const XZ_IN_XZ =
  "/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQA3/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAAeAAAAACDFtyMAAEVAaljNGCQQpkNAQAAAAABWVoA0J/DlgABTDi8DUhUkEKZDQEAAAAAAVla";

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
    ["bzip2", BZIP2, 1],
    ["lzop", LZOP, 1],
    ["gzip", gzipSync(PLAIN), 2000],
    ["zstd", ZSTD, 2000],
    ["xz", XZ, 2000],
    ["lzop", LZOP, 2000],
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
    for (const [kind, content, where] of [
      ["gzip", gzipSync(PLAIN), "check"],
      ["xz", XZ, "fails its checksum"],
      ["zstd", ZSTD, "bytes come out of a frame of"],
      ["bzip2", BZIP2, "damaged"],
      ["lzop", LZOP.subarray(0, -7513), "members"],
    ] as const) {
      const flipped = new Uint8Array(content);
      const at = flipped.length - (kind === "lzop" ? 100 : 1500);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      const { code, err } = await virtwire(["inspect", fileOf(flipped)]);
      expect([kind, code]).toEqual([kind, 4]);
      expect(err).toMatch(new RegExp(`: ${kind}: .*${where}`));
    }
    for (const options of [{ version: 3 }, { version: 0 }]) {
      const { code, err } = await virtwire(["inspect", fileOf(libvirtImage(PLAIN, options))]);
      expect(code).toBe(4);
      expect(err).toContain("version");
    }
    const cut = fileOf(libvirtHead().subarray(0, 60));
    expect((await virtwire(["inspect", cut])).code).toBe(4);
  });

  it("is named where it is too much", async () => {
    let deep: Uint8Array = PLAIN;
    for (let depth = 0; depth < 5; depth++) deep = gzipSync(deep);
    const nested = await virtwire(["inspect", fileOf(deep)]);
    expect([nested.code, nested.err]).toEqual([4, expect.stringContaining("compressed by gzip")]);
  });

  it("may be given up and read again, also xz, of which one is unpacked at a time", async () => {
    const out = join(temporaryFolder(), "blk.ctx");
    // Looks at the beginning, then reads it all.
    const device = ["--device", "0000:00:02.0/virtio-blk", "--to", "device-context"];
    const { code } = await virtwire(["convert", fileOf(XZ), ...device, "-o", out]);
    expect(code).toBe(0);
    const twice = fileOf(Buffer.from(XZ_IN_XZ, "base64"));
    const inspected = await virtwire(["inspect", twice]);
    expect([inspected.code, inspected.err]).toEqual([
      4,
      expect.stringContaining("xz › not supported: compressed by xz: unpack it first"),
    ]);
  });

  it("is damage for verbs that only need what is in it, too", async () => {
    const flipped = new Uint8Array(ZSTD);
    // The checksum of the content.
    flipped[flipped.length - 1] = (flipped[flipped.length - 1] as number) ^ 1;
    const file = fileOf(flipped);
    for (const argv of [
      ["edit", file, "--drop", "timer", "-o", join(temporaryFolder(), "out")],
      ["inspect", "--compat", "analyze-migration", "-d", "desc", file],
      ["ram", "list", file],
      ["hex", file, "@0"],
    ]) {
      const { code, err } = await virtwire(argv);
      expect([argv[0], code]).toEqual([argv[0], 4]);
      expect(err).toContain(": zstd: the checksum is 0x");
    }
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

describe("verbs that look twice, or back", () => {
  const NET_BLK = capture("x86-q35-net-blk.bin");
  const forms: Readonly<Record<string, readonly [readonly string[], readonly Uint8Array[]]>> = {
    "a pipe": [["-"], pieces(NET_BLK, 5000)],
    "a compressed pipe": [["-"], pieces(gzipSync(NET_BLK), 777)],
    "a compressed file": [[], [gzipSync(NET_BLK)]],
    "a save image": [[], [libvirtImage(NET_BLK)]],
  };

  /** Runs a verb with the capture in this form in the place of its file. */
  function run(
    before: readonly string[],
    after: readonly string[],
    [file, content]: readonly [readonly string[], readonly Uint8Array[]],
  ) {
    const [only] = content;
    const place = file.length > 0 || only === undefined ? "-" : fileOf(only);
    return virtwire([...before, place, ...after], place === "-" ? { input: content } : {});
  }

  it.each(Object.entries(forms))("take %s as well as the file that is in it", async (_, form) => {
    const plain = [["-"], [NET_BLK]] as const;
    const file = [[], [NET_BLK]] as const;
    for (const [before, after] of [
      [["hex"], ["sections[timer]", "@0x100000+64"]],
      [["ram", "list"], []],
      [
        ["ram", "read"],
        ["0xfffffff0", "--length", "16"],
      ],
    ] as const) {
      const expected = await run(before, after, file);
      expect(expected.code).toBe(0);
      expect(await run(before, after, plain)).toEqual(expected);
      expect(await run(before, after, form)).toEqual(expected);
    }
    const folder = temporaryFolder();
    const [whole, inside] = [join(folder, "whole"), join(folder, "inside")];
    const extracted = await run(["ram", "extract"], ["--block", "pc.bios", "-o", inside], form);
    expect(extracted).toMatchObject({ code: 0, err: "" });
    await run(["ram", "extract"], ["--block", "pc.bios", "-o", whole], file);
    expect(readFileSync(inside).equals(readFileSync(whole))).toBe(true);
    expect((await run(["edit"], ["--drop", "timer", "-o", inside], form)).code).toBe(0);
    await run(["edit"], ["--drop", "timer", "-o", whole], file);
    expect(readFileSync(inside).equals(readFileSync(whole))).toBe(true);
  });

  it("find the memory of a mapped-ram stream, packed or in a sparse image, where its own offsets say", async () => {
    // The firmware begins with a jump, says QEMU's own qboot.
    const jump = /^0fffffff0 {2}e9 8d ff 66 90 /;
    const read = (file: string) => ["ram", "read", file, "0xfffffff0", "--length", "16"];
    const image = MAPPED.slice();
    image.set(libvirtHead({ format: 6 }));
    for (const content of [image, gzipSync(image)])
      expect(await virtwire(read(fileOf(content)))).toMatchObject({
        code: 0,
        out: expect.stringMatching(jump),
      });
    const piped = await virtwire(read("-"), { input: pieces(image, 9999) });
    expect(piped).toMatchObject({ code: 0, out: expect.stringMatching(jump) });
  });

  it("take the snapshot that is meant, through a pipe too", async () => {
    const hex = ["hex", "--snapshot", "second"];
    const expected = await virtwire([...hex, fileOf(QCOW2), "configuration"]);
    expect(expected).toMatchObject({ code: 0, err: "" });
    expect(await virtwire([...hex, "-", "configuration"], { input: pieces(gzipSync(QCOW2), 5000) })).toEqual(
      expected,
    );
    const unsaid = await virtwire(["ram", "list", "-"], { input: [QCOW2] });
    expect([unsaid.code, unsaid.err]).toEqual([2, expect.stringContaining("say which with --snapshot")]);
    const listed = await virtwire(["ram", "list", "--snapshot", "first", fileOf(QCOW2)]);
    expect([listed.code, listed.out]).toEqual([0, expect.stringContaining("microvm.ram")]);
    const out = join(temporaryFolder(), "edited");
    const edited = await virtwire(["edit", "--snapshot", "1", fileOf(QCOW2), "--drop", "timer", "-o", out]);
    expect([edited.code, edited.out]).toEqual([0, expect.stringContaining("qcow2 snapshot")]);
    const line = "Unknown savevm section or instance 'timer' 0";
    const explained = await virtwire(["explain", line, fileOf(QCOW2), "--snapshot", "first"]);
    expect([explained.code, explained.out]).toEqual([
      0,
      expect.stringMatching(/sections\["timer"\]: section 0, version 2/),
    ]);
  });

  it("say what is damaged in a wrapper", async () => {
    const cut = gzipSync(NET_BLK).subarray(0, 300_000);
    for (const argv of [
      ["ram", "list", "-"],
      ["hex", "-", "@0"],
    ]) {
      const { code, err } = await virtwire(argv, { input: [cut] });
      expect([code, err]).toEqual([4, expect.stringMatching(/^standard input:0x[0-9a-f]+: .*truncated/)]);
    }
    const { err } = await virtwire(["ram", "list", "-"], { input: [cut] });
    expect(err).toMatch(/: gzip: truncated/);
  });
});
