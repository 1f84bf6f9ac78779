/** The Markdown pages of the repository's own schemas: what a reader clicks leads somewhere, and what is said is so. */
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { markdownTarget } from "../../../src/codegen/index.js";
import { compile } from "../../../src/schema/index.js";
import { schemaProgram } from "../../schemas.js";

const pages = new Map(markdownTarget.generate(schemaProgram(), {}).map(({ path, text }) => [path, text]));

/** The anchors that a viewer makes of headings: lower case, without punctuation, hyphens for spaces. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

function page(text: string): string {
  const { program, diagnostics } = compile([{ file: "test.wire", text }]);
  if (program === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return markdownTarget.generate(program, {}).find(({ path }) => path === "test.md")?.text ?? "";
}

describe("the pages", () => {
  it("link only to sections that are there", () => {
    const broken: string[] = [];
    let links = 0;
    for (const [path, text] of pages) {
      for (const [, target = ""] of text.matchAll(/\]\(([^)]*)\)/g)) {
        const [file = "", anchor] = target.split("#");
        const linked = pages.get(file === "" ? path : posix.join(posix.dirname(path), file));
        links++;
        if (linked === undefined || (anchor !== undefined && !anchorsOf(linked).includes(anchor)))
          broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
    expect(links).toBeGreaterThan(300);
  });

  it("have no two sections of one name", () => {
    for (const [path, text] of pages) {
      const anchors = anchorsOf(text);
      expect([path, anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)]).toEqual([
        path,
        [],
      ]);
    }
  });

  it("have as many cells in each row as in the head of its table", () => {
    for (const [path, text] of pages) {
      let width: number | undefined;
      for (const line of text.split("\n")) {
        if (!line.startsWith("|")) {
          width = undefined;
          continue;
        }
        const cells = line.replaceAll("\\|", "").split("|").length;
        width ??= cells;
        expect([path, line, cells]).toEqual([path, line, width]);
      }
    }
  });

  it("are all reached from the overview", () => {
    const overview = pages.get("README.md") ?? "";
    const missing = [...pages.keys()].filter(
      (path) => path !== "README.md" && !overview.includes(`(${path})`),
    );
    expect(missing).toEqual([]);
  });
});

describe("a page", () => {
  it("gives the offset where it is the same in every value, and what precedes where it is not", () => {
    const text = page(`module t little;
      struct s { le16 n; u8 name[n]; le32 a; le32 b; }`);
    expect(text).toContain("| 0 | 2 | `le16` | `n` |");
    expect(text).toContain("| 2 | `n` | `u8[n]` | `name` |");
    expect(text).toContain("| after `name` | 4 | `le32` | `a` |");
    expect(text).toContain("| after `name` + 4 | 4 | `le32` | `b` |");
  });

  it("shows conditions, constants, constraints and units", () => {
    const text = page(`module t big;
      struct s {
        u32 magic = 0x5145564d;
        /// Of what follows.
        /// @unit bytes
        u8 flags where flags < 0x80;
        if (flags & 1) u16 mtu;
        if (flags & 2) { u8 x; } else { u8 y; }
      }`);
    expect(text).toContain("| 0 | 4 | `be32` | `magic` | Always `0x5145564d`. |");
    expect(text).toContain(
      "| 4 | 1 | `u8` | `flags` | Always `flags < 0x80`. Of what follows. Unit: bytes. |",
    );
    expect(text).toContain("| 5 | 2 | `be16` | `mtu` | If `flags & 1`. |");
    expect(text).toMatch(/\*\*if\*\* `flags & 2`:.*\n.*&emsp;`x`.*\n.*\*\*else\*\*:.*\n.*&emsp;`y`/);
  });

  it("draws bits from the most significant, whichever way the schema lists them", () => {
    const text = page("module t little; struct s { bits be16 msb { kind : 4; flag : 1; rest : 11; } }");
    expect(text).toContain("| 15 … 12 | 11 | 10 … 0 |\n| --- | --- | --- |\n| `kind` | `flag` | `rest` |");
  });

  it("does not let prose become markup", () => {
    const text = page(`/// Sizes of *p and <b>, a|b and \`x|<y>\`.
      module t little;
      struct s {
        /// a | <b>
        u8 x;
      }`);
    expect(text).toContain("Sizes of \\*p and &lt;b>, a|b and `x|<y>`.");
    expect(text).toContain("| a \\| &lt;b> |");
  });
});
