/** Save images of libvirt, built by the layout in its source (src/qemu/qemu_saveimage.h), and files to read them from. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { be, bytes, le } from "../../streams/wire-bytes.js";
import { temporaryFolder } from "../harness.js";

export interface ImageOptions {
  readonly format?: number;
  readonly order?: typeof le;
  readonly magic?: string;
  readonly version?: number;
}

export const DOMAIN = "<domain type='kvm'><name>vm1</name></domain>";
export const COOKIE = "<qemuCookie/>";

export function libvirtHead({
  format = 0,
  order = le,
  magic = "LibvirtQemudSave",
  version = 2,
}: ImageOptions = {}): Uint8Array {
  const data = bytes(DOMAIN, 0, COOKIE, 0, 0, 0);
  const words = [version, data.length, 1, format, DOMAIN.length + 1];
  return bytes(magic, ...words.map((word) => order(4, word)), Array<number>(56).fill(0), data);
}

export function libvirtImage(stream: Uint8Array, options: ImageOptions = {}): Uint8Array {
  return bytes(libvirtHead(options), stream);
}

export const bigEndian: typeof le = be;

export function fileOf(content: Uint8Array): string {
  const path = join(temporaryFolder(), "capture");
  writeFileSync(path, content);
  return path;
}
