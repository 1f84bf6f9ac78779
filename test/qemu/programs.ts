/**
 * The QEMUs that the tests run: that of the PATH, and an older one in the folder that VIRTWIRE_QEMU_OLDER names
 * (see .ci/install-qemu).
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Target = "x86_64" | "s390x" | "aarch64" | "ppc64";

export interface Program {
  readonly path: string;
  /** What stands in front of all other arguments. */
  readonly args: readonly string[];
}

const older = process.env["VIRTWIRE_QEMU_OLDER"];

function onPath(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function newerQemu(target: Target): Program | undefined {
  const path = onPath(`qemu-system-${target}`);
  return path === undefined ? undefined : { path, args: [] };
}

/** The back-end of QEMU's own block layer. */
export function storageDaemon(): Program | undefined {
  const path = onPath("qemu-storage-daemon");
  return path === undefined ? undefined : { path, args: [] };
}

/**
 * virtiofsd, in the folder that VIRTWIRE_VIRTIOFSD names (see .ci/fetch-virtiofsd): newer than what the system has, so it
 * brings its own libraries.
 */
export function virtiofsd(): Program | undefined {
  const folder = process.env["VIRTWIRE_VIRTIOFSD"] ?? "";
  const libraries = join(folder, "usr/lib/x86_64-linux-gnu");
  const path = join(libraries, "ld-linux-x86-64.so.2");
  if (folder === "" || !isProgram(path)) return undefined;
  return { path, args: ["--library-path", libraries, join(folder, "usr/libexec/virtiofsd")] };
}

/** Its firmware is not where it would look for it by itself. */
export function olderQemu(target: Target): Program | undefined {
  if (older === undefined) return undefined;
  const path = join(older, "usr/bin", `qemu-system-${target}`);
  const firmware = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"].map((part) =>
    join(older, part),
  );
  if (!existsSync(path)) return undefined;
  return { path, args: firmware.flatMap((folder) => ["-L", folder]) };
}
