/** The Linux that the guests run: what .ci/build-guest makes. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
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
  const made = statSync(initrd).mtimeMs;
  const newer = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).some(
    (name) => statSync(join(SOURCES, name)).mtimeMs > made,
  );
  return newer ? "the Linux guest is older than its sources (run .ci/build-guest again)" : { kernel, initrd };
}
