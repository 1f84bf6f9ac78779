/** Every fixture in errors/ is refused with exactly the diagnostics that it carries, and together they show every code. */
import { describe, expect, it } from "vitest";
import { compile, formatDiagnostic, positionAt } from "../../src/schema/index.js";
import { codesInSource } from "./codes.js";
import { fixtures } from "./fixtures.js";

const all = fixtures();

describe("a broken schema", () => {
  it.each(all)("$name", ({ files, expected }) => {
    const { program, diagnostics } = compile(files);
    const textOf = (name: string): string => files.find(({ file }) => file === name)?.text ?? "";
    const found = diagnostics.map(({ file, span, code, message }) => {
      return { file, ...positionAt(textOf(file), span.start), code, message };
    });
    expect(found).toEqual(expected);
    expect(expected).not.toEqual([]);
    expect(program).toBeUndefined();
    for (const diagnostic of diagnostics) {
      const { start, end } = diagnostic.span;
      expect(start).toBeLessThanOrEqual(end);
      expect(end).toBeLessThanOrEqual(textOf(diagnostic.file).length);
      // The place that it shows is the line that it names.
      const { line } = positionAt(textOf(diagnostic.file), start);
      expect(formatDiagnostic(diagnostic, textOf).split("\n")[1]).toBe(
        `  ${textOf(diagnostic.file).split("\n")[line - 1]}`,
      );
    }
  });

  it("is there for every code that the compiler can report", () => {
    const shown = new Set(all.flatMap(({ expected }) => expected.map(({ code }) => code)));
    expect([...shown].sort()).toEqual(codesInSource());
  });

  it("is there at least 45 times, and some have several mistakes", () => {
    expect(all.length).toBeGreaterThanOrEqual(45);
    expect(
      all.filter(({ expected }) => new Set(expected.map(({ code }) => code)).size > 2).length,
    ).toBeGreaterThan(1);
  });
});
