/** The guest's memory of a capture, read where it lies in the stream. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type GuestBytes, guestBytes, PageReader, RamImageBuilder } from "../../../src/streams/index.js";

export function memoryOf(path: string): GuestBytes {
  const packed = readFileSync(path);
  const file = new Uint8Array(path.endsWith(".gz") ? gunzipSync(packed) : packed);
  const builder = new RamImageBuilder({
    channels: false,
    description: undefined,
    pageSize: undefined,
    onFault: () => {},
  });
  const main = builder.main(0);
  main.push(file);
  main.end();
  const pages = new PageReader(builder.image, 0, (_input, at, size) => file.subarray(at, at + size));
  return guestBytes(builder.image, pages, builder.machine);
}
