/** docs/language.md is the reference: what it shows compiles, and the diagnostics that it lists are the ones there are. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { compile, formatDiagnostic, type Library } from "../../src/schema/index.js";
import { allTokens } from "../../src/schema/lexer.js";
import { codesInReference, codesInSource } from "./codes.js";

const text = readFileSync(fileURLToPath(new URL("../../docs/language.md", import.meta.url)), "utf8");
const blocks = [...text.matchAll(/^```wire\n([\s\S]*?)^```$/gm)].map((match) => {
  const block = match[1] ?? "";
  return { name: /^module ([\w.]+)/m.exec(block)?.[1] ?? "no module", block };
});

/** The other blocks, for what one imports. */
function libraryOf(name: string): Library {
  return (wanted) => {
    const found = blocks.find((each) => each.name === wanted && each.name !== name);
    return found && { file: `${wanted}.wire`, text: found.block };
  };
}

describe("the language reference", () => {
  it("has its blocks", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(10);
    expect(text.match(/^```wire/gm)).toHaveLength(blocks.length);
  });

  it.each(blocks)("compiles $name", ({ name, block }) => {
    const { program, diagnostics } = compile([{ file: "block.wire", text: block }], libraryOf(name));
    expect(diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, () => block))).toEqual([]);
    expect(program?.modules.map((module) => module.name)).toContain(name);
  });

  it("compiles all of it together", () => {
    const files = blocks.map(({ name, block }) => ({ file: `${name}.wire`, text: block }));
    expect(compile(files).diagnostics).toEqual([]);
  });

  it("shows every word of the language at work", () => {
    const used = new Set(blocks.flatMap(({ block }) => block.replace(/\/\/.*$/gm, "").match(/\w+/g) ?? []));
    const words = allTokens.flatMap(({ PATTERN }) =>
      typeof PATTERN === "string" && /^\w+$/.test(PATTERN) ? PATTERN : [],
    );
    expect(words.length).toBeGreaterThan(40);
    expect(words.filter((word) => !used.has(word))).toEqual([]);
  });

  it("lists every diagnostic, in order", () => {
    expect(codesInReference()).toEqual(codesInSource());
  });
});
