/**
 * The formats of the known messages against QEMU's source: each must stand in the file and the function that it is said to
 * come from. Set VIRTWIRE_QEMU_SOURCE to a source tree of QEMU.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { messages } from "../../src/inspect/explain/index.js";

const source = process.env["VIRTWIRE_QEMU_SOURCE"];

/** Macros that stand between string literals. */
const MACROS: Readonly<Record<string, string>> = {
  PRIx64: "llx",
  PRIX64: "llX",
  PRId64: "lld",
  PRIu64: "llu",
  PRIx32: "x",
  PRId32: "d",
  PRIu32: "u",
  PRIu16: "u",
  RAM_ADDR_FMT: "%llx",
};

interface Literal {
  readonly text: string;
  readonly function: string;
}

/** Literals that follow one another are one, as for a C compiler. */
function literals(code: string): Literal[] {
  const found: Literal[] = [];
  let current = "";
  let run: string | undefined;
  const end = (): void => {
    if (run !== undefined) found.push({ text: run, function: current });
    run = undefined;
  };
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"((?:[^"\\\n]|\\.)*)"|'(?:[^'\\]|\\.)+'|^(?:[A-Za-z_][\w *]*?[ *])?(\w+)\((?=[^;]*$)|\b([A-Za-z_]\w*)\b|\s+|[^\s\w]/gm;
  for (const [whole, literal, name, word] of code.matchAll(token)) {
    if (/^\s+$/.test(whole) || whole.startsWith("/*") || whole.startsWith("//")) continue;
    if (literal !== undefined) {
      run = (run ?? "") + literal.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
    } else if (word !== undefined && MACROS[word] !== undefined) {
      run = (run ?? "") + MACROS[word];
    } else {
      end();
      if (name !== undefined) current = name;
    }
  }
  end();
  return found;
}

describe.runIf(source !== undefined)("the known messages are QEMU's own", () => {
  // The source is that of QEMU 10.0. What came later is proved by what a newer QEMU said: see log.test.ts.
  const ofQemu = messages.filter(
    ({ source: { project }, since }) => project === "QEMU" && since === undefined,
  );

  it.each(ofQemu.map((message) => [message.id, message] as const))("%s", (_, message) => {
    const code = readFileSync(join(source ?? "", message.source.file), "utf8");
    const found = literals(code).filter(({ text }) => text === message.format);
    expect(found.map((literal) => literal.function)).toContain(message.source.function);
  });
});
