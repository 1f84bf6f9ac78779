/** docs/inspect.md tells the truth: the output that it shows is what this version prints. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { virtwire } from "../cli/harness.js";

const DOCS = new URL("../../docs/inspect.md", import.meta.url);

function shellWord(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word}'`;
}

it.each([
  ["hex", ["hex", "test/captures/x86-q35-net-blk.bin", "sections[timer]"]],
  [
    "diff",
    [
      "diff",
      "--schema",
      "--ignore",
      "sections[*virtio*]",
      "test/captures/x86-q35-net-blk.bin",
      "test/captures/x86-q35-return-path.bin",
    ],
  ],
  ["features", ["features", "0x1c0010130afffaf", "0x10179bfffef"]],
])("shows the output of %s", async (name, argv) => {
  const { out } = await virtwire(argv);
  const docs = readFileSync(DOCS, "utf8");
  const block = `<!-- ${name}:begin -->\n\`\`\`\n$ virtwire ${argv.map(shellWord).join(" ")}\n${out.trimEnd()}\n\`\`\`\n<!-- ${name}:end -->`;
  const made = docs.replace(new RegExp(`<!-- ${name}:begin -->[\\s\\S]*<!-- ${name}:end -->`), () => block);
  if (process.env["VIRTWIRE_BLESS"]) writeFileSync(DOCS, made);
  expect(made).toContain(block);
  expect(readFileSync(DOCS, "utf8")).toBe(made);
});
