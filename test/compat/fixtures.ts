/**
 * Pairs of schemas, each a folder with `old.wire` and `new.wire`. The new one begins with what must be said of it, a line
 * for each change, in the order of the report:
 *
 *     // profile NAME           (when it is not `wire`)
 *     // RULE MEMBERS OLD-READERS OLD-DATA
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Fixture {
  readonly name: string;
  readonly old: string;
  readonly new: string;
  readonly profile: string;
  readonly expected: readonly string[];
}

const root = fileURLToPath(new URL("fixtures/", import.meta.url));

export function fixtures(): Fixture[] {
  return readdirSync(root)
    .sort()
    .map((name) => {
      const [old, now] = ["old", "new"].map((version) =>
        readFileSync(`${root}${name}/${version}.wire`, "utf8"),
      );
      const comments = (now ?? "").split("\n").flatMap((line) => /^\/\/ (.*)$/.exec(line)?.[1] ?? []);
      const profile = comments[0]?.match(/^profile (\S+)$/)?.[1];
      const expected = profile === undefined ? comments : comments.slice(1);
      return { name, old: old ?? "", new: now ?? "", profile: profile ?? "wire", expected };
    });
}
