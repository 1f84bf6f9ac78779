/**
 * The kernel's own headers against our schemas: gcc is asked for the size of every structure that both declare, for the
 * place of every field, and for the number of every constant that has the same name in both. Newest kernel headers are
 * needed (they carry the device-parts structures); VIRTWIRE_KERNEL_HEADERS names their include folder.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Struct } from "../../src/schema/index.js";
import { schemaProgram } from "../schemas.js";
import { DIFFERENCES, NUMBER_DIFFERENCES, SAME_LAYOUT } from "./kernel-differences.js";

const include = process.env["VIRTWIRE_KERNEL_HEADERS"] ?? "/usr/include";
const HEADERS = [
  "virtio_pci",
  "virtio_ring",
  "virtio_net",
  "virtio_blk",
  "virtio_console",
  "virtio_balloon",
  "virtio_scsi",
  "virtio_9p",
  "virtio_input",
  "virtio_gpu",
  "virtio_fs",
  "fuse",
  "virtio_crypto",
  "virtio_mem",
  "virtio_iommu",
  "virtio_pmem",
  "virtio_vsock",
  "virtio_snd",
  "virtio_gpio",
  "virtio_bt",
  "vfio",
  "vhost_types",
  "vhost",
].filter((name) => existsSync(join(include, `linux/${name}.h`)));

const folder = mkdtempSync(join(tmpdir(), "virtwire-oracle-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A question to gcc: a constant expression of C, and the number that the schema says. */
interface Question {
  readonly about: string;
  readonly expression: string;
  readonly ours: number;
}

function questionsAbout(struct: Struct, kernelName: string): Question[] {
  const name = `struct ${kernelName}`;
  const fields = struct.fields.flatMap((field) =>
    field.offset === undefined || field.role.kind === "reserved" || field.type.kind === "bits"
      ? []
      : [
          {
            about: `${kernelName}.${field.name}`,
            expression: `__builtin_offsetof(${name}, ${field.name})`,
            ours: field.offset,
          },
        ],
  );
  return [...fields, sizeQuestion(struct, kernelName, name)];
}

/** Of a structure with a variable tail the kernel declares what may be there; a flexible array takes no room. */
function sizeQuestion(struct: Struct, kernelName: string, name: string): Question {
  const { min, max } = struct.size;
  if (struct.fixed !== undefined)
    return { about: `sizeof ${kernelName}`, expression: `sizeof(${name})`, ours: struct.fixed };
  const bounds = `sizeof(${name}) >= ${min}${max === undefined ? "" : ` && sizeof(${name}) <= ${max}`}`;
  return { about: `sizeof ${kernelName} in ${min}..${max ?? ""}`, expression: `(${bounds})`, ours: 1 };
}

/** Compiles; what gcc says, a line each. */
function gcc(body: string): string[] {
  const file = join(folder, "questions.c");
  const source = [
    // Old C libraries lack what the newest headers ask for.
    "#include <stddef.h>",
    "#include <linux/types.h>",
    ...HEADERS.map((name) => `#include <linux/${name}.h>`),
    body,
  ].join("\n");
  writeFileSync(file, source);
  const { stderr } = spawnSync("gcc", ["-fsyntax-only", "-w", "-fmax-errors=0", "-isystem", include, file], {
    encoding: "utf8",
  });
  return stderr.split("\n");
}

describe("layouts against the kernel's headers", () => {
  const structs = schemaProgram().modules.flatMap((module) =>
    module.decls.filter((decl) => decl.kind === "struct"),
  );
  const texts = HEADERS.map((name) => readFileSync(join(include, `linux/${name}.h`), "utf8"));
  const declared = new Set(
    texts.flatMap((text) => [...text.matchAll(/\bstruct (\w+)\s*\{/g)].map((match) => match[1])),
  );

  it("has a compiler and headers that know device parts", () => {
    expect(execFileSync("gcc", ["-dumpversion"], { encoding: "utf8" })).toMatch(/^\d/);
    expect(declared).toContain("virtio_dev_part_hdr");
  });

  const pairs = structs
    .map((struct) => ({ struct, kernel: SAME_LAYOUT[struct.name] ?? struct.name }))
    .filter(({ kernel }) => declared.has(kernel));
  const questions = pairs.flatMap(({ struct, kernel }) => questionsAbout(struct, kernel));

  it("finds the same sizes and offsets wherever names agree", () => {
    const asked = questions.map(({ expression }, i) => `unsigned long q${i} = ${expression};`);
    const unknown = new Set(
      gcc(asked.join("\n")).flatMap((line) => {
        const member =
          /‘struct (\w+)’ has no member named ‘(\w+)’/.exec(line) ??
          /'struct (\w+)' has no member named '(\w+)'/.exec(line);
        return member ? [`${member[1]}.${member[2]}`] : [];
      }),
    );
    const known = questions.filter(({ about }) => !unknown.has(about));
    const asserted = known.map(
      ({ about, expression, ours }) => `_Static_assert(${expression} == ${ours}, "${about} @${ours}");`,
    );
    const wrong = gcc(asserted.join("\n")).filter((line) => line.includes("error:"));
    const differences = wrong.map((line) => /static assertion failed: "([^"]+)"/.exec(line)?.[1] ?? line);
    expect(differences.sort()).toEqual(Object.keys(DIFFERENCES).sort());
    // A comparison that compares nothing agrees with everything.
    expect(pairs.length).toBeGreaterThan(40);
    expect(known.length).toBeGreaterThan(200);
  });

  it("finds the same numbers wherever names agree", () => {
    const numbers = /^(?:#define\s+(\w+)[ \t]+\S|[ \t]+([A-Z]\w+)\s*(?:=[^,]+)?,)/gm;
    const constants = new Set(
      texts.flatMap((text) => [...text.matchAll(numbers)].map((match) => match[1] ?? match[2])),
    );
    const members = schemaProgram()
      .modules.flatMap((module) => module.decls.filter((decl) => decl.kind === "enum"))
      .flatMap((decl) => decl.members)
      .filter(({ name, value, to }) => value === to && constants.has(name));
    const asserted = members.map(
      ({ name, value }) => `_Static_assert((${name}) == ${value}, "${name} = ${value}");`,
    );
    const wrong = gcc(asserted.join("\n")).filter((line) => line.includes("error:"));
    const differences = wrong.map((line) => /static assertion failed: "([^"]+)"/.exec(line)?.[1] ?? line);
    expect([...new Set(differences)].sort()).toEqual(Object.keys(NUMBER_DIFFERENCES).sort());
    expect(members.length).toBeGreaterThan(100);
  });
});
