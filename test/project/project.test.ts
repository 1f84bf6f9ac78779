import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { cTarget, typescriptTarget } from "../../src/codegen/index.js";
import { writeFiles } from "../../src/project/files.js";
import { type Generated, Project } from "../../src/project/project.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Sandbox {
  readonly dir: string;
  readonly schemas: string;
  readonly save: (file: string, text: string) => void;
}

function sandbox(): Sandbox {
  const dir = mkdtempSync(join(tmpdir(), "virtwire-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  const schemas = join(dir, "schemas");
  mkdirSync(schemas);
  return { dir, schemas, save: (file, text) => writeFileSync(join(schemas, file), text) };
}

function textsOf({ files }: Generated): Record<string, string> {
  return Object.fromEntries([...(files ?? [])].map(([path, { text }]) => [path, text]));
}

const A = `module a little;
enum a_type : le16 { A_ONE = 1, A_TWO = 2 }
struct a_head { a_type type; le16 length; }
`;
const B = `module b little;
import a { a_type, a_head };
struct b_item { a_head head; u8 data[head.length]; }
`;
const C = `module c little;
import a { a_type };
import b { b_item };
struct c_list { a_type kind; le16 count; b_item items[count]; }
`;
const D = "module d big;\nstruct d_alone { u32 x; }\n";

/** Each step is one saving of one file. */
const EDITS: readonly (readonly [file: string, text: string])[] = [
  ["a.wire", A.replace("A_TWO = 2", "A_TWO = 3")],
  ["a.wire", A.replace("le16 length", "le32 length as number")],
  ["a.wire", A.replace("a_type :", "a_kind :")],
  ["c.wire", C.replace("u8", "u9")],
  ["a.wire", A],
  ["b.wire", B.replace("struct b_item {", "struct b_item {{")],
  ["d.wire", D.replace("u32", "u64")],
  ["b.wire", B.replace("module b", "module e")],
  ["d.wire", D.replace("module d", "module b")],
  ["b.wire", B],
  ["d.wire", D],
  ["a.wire", A.replace("module a little;", "module a little;\nimport c { c_list };")],
  ["c.wire", `/// New lines move every place in the file.\n\n${C}`],
  ["a.wire", A.replace("struct a_head", "/// Documented now.\nstruct a_head")],
  // What is added at the end reaches others by its name only, where it is in the way of one of theirs.
  ["a.wire", `${A}struct a_tail { u8 x; }\n`],
  ["a.wire", `${A}const head = 1;\n`],
  ["a.wire", `${A}const head = 1;\nenum b_items : u8 { B_ITEM_NONE = 0 }\n`],
  ["c.wire", `${C}struct c_late { c_list list; }\nstruct c_later { c_late late; }\n`],
  ["c.wire", `${C}struct c_later { c_list list; }\n`],
  ["a.wire", A],
  // A struct that stays as it was comes to say how long another one is.
  ["d.wire", "module d big;\nstruct d_head { u16 n; }\nstruct d_alone { d_head head; u32 x; }\n"],
  ["d.wire", "module d big;\nstruct d_head { u16 n; }\nstruct d_alone { d_head head; u8 x[head.n]; }\n"],
];

describe("a project", () => {
  it("gives after each edit what a compilation from nothing gives", () => {
    const { schemas, save } = sandbox();
    for (const [file, text] of Object.entries({ a: A, b: B, c: C, d: D })) save(`${file}.wire`, text);
    const options = { schemas, targets: [typescriptTarget, cTarget] };
    const project = new Project(options);
    project.generate();
    let broken = 0;
    for (const [file, text] of EDITS) {
      save(file, text);
      const [again, anew] = [project.generate(), new Project(options).generate()];
      expect(again.diagnostics).toEqual(anew.diagnostics);
      expect(textsOf(again)).toEqual(textsOf(anew));
      if (again.files === undefined) broken++;
    }
    // Both kinds of edits have been tried.
    expect(broken).toBeGreaterThan(4);
    expect(broken).toBeLessThan(EDITS.length - 4);
  });

  it("prints only what an edit can have changed", () => {
    const { schemas, save } = sandbox();
    for (const [file, text] of Object.entries({ a: A, b: B, c: C, d: D })) save(`${file}.wire`, text);
    const project = new Project({ schemas, targets: [typescriptTarget] });
    const before = project.generate().files;
    save("b.wire", B.replace("u8 data", "u8 bytes"));
    const after = project.generate().files;
    const printed = [...(after ?? [])].filter(([path, file]) => before?.get(path) !== file);
    expect(printed.map(([path]) => path)).toEqual(["b.ts", "c.ts"]);
  });

  it("prints one of the shipped schemas alone when something is added to it", () => {
    const { schemas, save } = sandbox();
    cpSync(join(ROOT, "schemas"), schemas, { recursive: true });
    const project = new Project({ schemas, targets: [typescriptTarget] });
    let before = project.generate();
    for (const { file, text } of before.schemas) {
      save(file, `${text}\nstruct quite_new { u8 x; }\n`);
      const after = project.generate();
      const printed = [...(after.files ?? [])].filter(([path, made]) => before.files?.get(path) !== made);
      expect(printed.map(([path]) => path)).toEqual([file.replace(/wire$/, "ts")]);
      save(file, text);
      before = project.generate();
    }
  }, 300_000);

  it("lets schemas import the shipped ones, and generates only its own", () => {
    const { dir, schemas, save } = sandbox();
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(ROOT, join(dir, "node_modules", "virtwire"));
    save(
      "notes.wire",
      `module notes little;
import virtio.pci { virtio_pci_common_cfg };
struct note { le16 size; char text[size]; virtio_pci_common_cfg config; }
`,
    );
    const { files, diagnostics } = new Project({ schemas, targets: [typescriptTarget] }).generate();
    expect(diagnostics).toEqual([]);
    expect([...(files ?? [])].map(([path]) => path)).toEqual(["notes.ts"]);
    const text = files?.get("notes.ts")?.text ?? "";
    expect(text).toMatch(/from "virtwire\/virtio\/pci";/);
    expect(text).toMatch(/from "virtwire\/runtime";/);
  });

  it("makes the shipped modules as well for targets that have nothing of theirs in the package", () => {
    const { dir, schemas, save } = sandbox();
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(ROOT, join(dir, "node_modules", "virtwire"));
    save("notes.wire", "module notes little;\nimport virtio.ids { virtio_device_id };\nstruct n { u8 x; }\n");
    const { files } = new Project({ schemas, targets: [cTarget] }).generate();
    expect([...(files ?? [])].map(([path]) => path).sort()).toEqual([
      "notes.h",
      "virtwire/schemas/virtio/ids.h",
    ]);
    expect(files?.get("notes.h")?.text).toContain('#include "virtwire/schemas/virtio/ids.h"');
  });

  it("reads no schemas of installed packages", () => {
    const { schemas, save } = sandbox();
    save("notes.wire", "module notes little;\nstruct n { u8 x; }\n");
    mkdirSync(join(schemas, "node_modules", "other"), { recursive: true });
    save("node_modules/other/notes.wire", "module notes little;\nstruct n { u8 x; }\n");
    expect(new Project({ schemas, targets: [cTarget] }).generate().diagnostics).toEqual([]);
  });

  it("knows no shipped schemas where the package is not installed", () => {
    const { schemas, save } = sandbox();
    save("notes.wire", "module notes little;\nimport virtio.ids { virtio_device_id };\nstruct n { u8 x; }\n");
    const { diagnostics } = new Project({ schemas, targets: [typescriptTarget] }).generate();
    expect(diagnostics.map(({ code }) => code)).toEqual(["unknown-module"]);
  });

  it("regenerates the shipped schemas after an edit in a moment", () => {
    const { dir, schemas, save } = sandbox();
    cpSync(join(ROOT, "schemas"), schemas, { recursive: true });
    const options = { schemas, targets: [typescriptTarget] };
    const project = new Project(options);
    const out = join(dir, "out");
    let generated = project.generate();
    writeFiles(out, generated.files ?? new Map(), new Map());
    // Others import from this one more than from any other.
    const edited = "virtio/ids.wire";
    const text = generated.textOf(edited);
    const rounds = [0, 1, 2];
    const once = rounds.map((round) => {
      save(edited, `${text}\nstruct added_${round} { le32 x; }\n`);
      return processorTime(() => {
        const next = project.generate();
        const { written } = writeFiles(out, next.files ?? new Map(), generated.files ?? new Map());
        expect(written).toBe(1);
        generated = next;
      });
    });
    const everything = rounds.map(() => processorTime(() => new Project(options).generate()));
    // 100 ms is the promise. How long that is depends on the machine, and so does the time that everything takes.
    expect(Math.min(...once)).toBeLessThan(Math.min(...everything) / 5);
  });
});

/** In milliseconds. What else the machine is doing does not count. */
function processorTime(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
