/**
 * What the smaller targets make of a few of the golden schemas, committed for the same reason: a change of a target
 * shows what it does to what people read. `npm run bless` writes them anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  binaryParserTarget,
  markdownTarget,
  type Target,
  typedBinaryTarget,
} from "../../src/codegen/index.js";
import { compile } from "../../src/schema/index.js";

const cases: readonly (readonly [target: Target, schemas: readonly string[], extension: string])[] = [
  [binaryParserTarget, ["arrays", "bits", "conditions", "fixed", "orders", "tagged"], ".ts"],
  [typedBinaryTarget, ["arrays", "bits", "fixed", "orders", "tagged"], ".ts"],
  [markdownTarget, ["arrays", "bits", "conditions", "fixed", "tables", "tagged"], ".md"],
];

describe.each(cases.map(([target, ...rest]) => [target.name, target, ...rest] as const))(
  "%s of",
  (name, target, schemas, extension) => {
    it.each(schemas)("%s", (schema) => {
      const file = `${schema}.wire`;
      const text = readFileSync(new URL(`goldens/${file}`, import.meta.url), "utf8");
      const { program } = compile([{ file, text }]);
      const made = program && target.generate(program, {}).find(({ path }) => path === schema + extension);
      const golden = new URL(`${name}/goldens/${schema}${extension}`, import.meta.url);
      if (process.env["VIRTWIRE_BLESS"]) {
        mkdirSync(new URL(".", golden), { recursive: true });
        writeFileSync(golden, made?.text ?? "");
      }
      expect(made?.text).toBe(readFileSync(golden, "utf8"));
    });
  },
);
