/** The Linux that the guests run: what .ci/build-guest makes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

const BUILT = fileURLToPath(new URL("../../../.cache/guest", import.meta.url));
const SOURCES = fileURLToPath(new URL("guest", import.meta.url));

/** The image, or what is the matter with it. */
export function guestImage(): GuestImage | string {
  const kernel = join(BUILT, "vmlinuz");
  const initrd = join(BUILT, "initrd.gz");
  if (!existsSync(kernel) || !existsSync(initrd))
    return "the Linux guest is not there (.ci/build-guest makes it)";
  const isOld = readdirSync(SOURCES, { recursive: true, withFileTypes: true, encoding: "utf8" }).some(
    (entry) => {
      if (!entry.isFile()) return false;
      const source = join(entry.parentPath, entry.name);
      const packed = join(BUILT, "sources", relative(SOURCES, source));
      return !existsSync(packed) || !readFileSync(packed).equals(readFileSync(source));
    },
  );
  return isOld ? "the Linux guest is not of these sources (run .ci/build-guest again)" : { kernel, initrd };
}
