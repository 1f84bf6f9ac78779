/**
 * The schemas that the package ships, for projects whose own schemas import them. The codecs of those modules are in the
 * package as well, so none are generated: generated code imports them.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Library, Module } from "../schema/index.js";

/** How the file of a module of the package begins, where a file of the project is relative to its folder. */
const SHIPPED = "virtwire/schemas/";

/**
 * Finds `virtio.device_context` in `virtwire/schemas/virtio/device-context.wire`, of the package that code in `dir` would
 * import: what the compiler reads and what the generated code runs with are of one version.
 */
export function shippedSchemas(dir: string): Library {
  const { resolve: find } = createRequire(join(resolve(dir), "schemas.js"));
  return (module) => {
    const file = `${SHIPPED}${module.replaceAll(".", "/").replaceAll("_", "-")}.wire`;
    try {
      return { file, text: readFileSync(find(file), "utf8") };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
}

/** `virtwire/virtio/device-context` for a module of the package, undefined for one of the project. */
export function shippedCodecs({ file }: Module): string | undefined {
  return file.startsWith(SHIPPED)
    ? `virtwire/${file.slice(SHIPPED.length).replace(/\.wire$/, "")}`
    : undefined;
}

/** No such package, a package of an older version without the file, or one that does not export its schemas. */
function isMissing(error: unknown): boolean {
  const missing = ["MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED", "ENOENT"];
  return error instanceof Error && "code" in error && missing.some((code) => code === error.code);
}
