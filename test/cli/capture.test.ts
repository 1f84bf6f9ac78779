import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/cli/capture.js";
import { type Input, openInput } from "../../src/cli/input.js";
import type { Io } from "../../src/cli/io.js";
import { fileOf, libvirtHead } from "./containers/images.js";
import { virtwire } from "./harness.js";

const NAME = new URL("../captures/microvm-mapped-ram-at-4096.bin.gz", import.meta.url);
/** Where the stream begins in the image. */
const ORIGIN = 4096;
/** By the headers in the file: where the pages of the two blocks lie, from the beginning of the stream. */
const PAGES = [
  { from: 1044480, to: 1044480 + 4194304 },
  { from: 6287360, to: 6287360 + 65536 },
] as const;

/** A sparse save image as libvirt writes it. */
function saveImage(): Uint8Array {
  const image = new Uint8Array(gunzipSync(readFileSync(NAME)));
  image.set(libvirtHead({ format: 6 }));
  return image;
}

function pieces(content: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(content.length / size) }, (_, i) =>
    content.slice(i * size, i * size + size),
  );
}

const io: Io = {
  out: () => {},
  err: () => {},
  outIsTerminal: false,
  errIsTerminal: false,
  columns: () => undefined,
  env: {},
  stdin: (async function* () {})(),
  interrupted: () => Promise.reject(new Error("this verb is not expected to wait")),
};

describe("a mapped-ram file", () => {
  const image = saveImage();
  /** With one byte of the first block's entry changed: so far in front of its bitmap. */
  const damaged = (distance: number, byte: number): Uint8Array => {
    const content = image.slice();
    content[ORIGIN + 140 - distance] = byte;
    return content;
  };
  const files: Readonly<Record<string, Uint8Array>> = {
    "that is whole": image,
    "cut in the bitmap": image.subarray(0, ORIGIN + 200),
    "cut in front of the pages": image.subarray(0, ORIGIN + 500_000),
    "cut among the pages": image.subarray(0, ORIGIN + 3_000_000),
    "cut behind the pages": image.subarray(0, ORIGIN + PAGES[0].to),
    "cut in the devices": image.subarray(0, ORIGIN + 6_353_500),
    "with a damaged size of pages": damaged(20, 0x80),
    "with a damaged place of the pages": damaged(3, 0x21),
    "with pages beyond the end": damaged(6, 0x01),
  };

  it.each(Object.entries(files))("reads the same as from a pipe: %s", async (_, content) => {
    const argv = ["inspect", "--format", "json"];
    const pipe = await virtwire([...argv, "-"], { input: pieces(content, 1 << 16) });
    const path = fileOf(content);
    const file = await virtwire([...argv, path]);
    expect([file.code, file.err.replaceAll(path, "standard input")]).toEqual([pipe.code, pipe.err]);
    // Compared as text: there are tens of thousands of values.
    expect(file.out === pipe.out).toBe(true);
    expect(pipe.code).toBe(content === image ? 0 : 4);
  });

  it("is not read where its pages lie", async () => {
    const file = openInput(fileOf(image), io);
    const reads: { readonly from: number; readonly to: number }[] = [];
    const { read } = file;
    if (read === undefined) throw new Error("a file can be read anywhere");
    const watched: Input = {
      ...file,
      read(at, size) {
        const bytes = read(at, size);
        reads.push({ from: at, to: at + bytes.length });
        return bytes;
      },
      async *chunks() {
        let at = 0;
        for await (const chunk of file.chunks()) {
          reads.push({ from: at, to: at + chunk.length });
          at += chunk.length;
          yield chunk;
        }
      },
    };
    const options = { as: undefined, device: undefined, withFields: false };
    const summary = await readCapture(watched, options, () => ({ record: () => {} }), io);
    file.close();
    expect(summary).toMatchObject({ size: image.length - ORIGIN, faultCount: 0 });
    expect(reads.at(-1)?.to).toBe(image.length - ORIGIN);
    const among = reads.filter((one) => PAGES.some(({ from, to }) => one.from < to && one.to > from));
    expect(among).toEqual([]);
  });
});
