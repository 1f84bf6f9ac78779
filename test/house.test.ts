import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Room {
  /** The rooms that it may import from, itself apart. */
  readonly rooms: readonly string[];
  /** The packages that it may import. */
  readonly packages?: readonly string[];
  /** Whether it may use Node's own modules. */
  readonly node?: true;
}

const codec = ["runtime", "generated", "streams", "device", "inspect"];

/** Data flows one way: a room imports only from rooms above it. A room without a row here is an error. */
const house: Readonly<Record<string, Room>> = {
  schema: { rooms: [], packages: ["chevrotain"] },
  codegen: { rooms: ["schema"] },
  compat: { rooms: ["schema"] },
  runtime: { rooms: [] },
  generated: { rooms: ["runtime"] },
  streams: { rooms: ["runtime", "generated"], packages: ["fflate", "fzstd"] },
  device: { rooms: ["runtime", "generated", "streams"] },
  inspect: { rooms: ["runtime", "generated", "streams"] },
  "vhost-user": { rooms: ["runtime", "generated", "streams", "device"], packages: ["koffi"], node: true },
  // The root entry, src/index.ts: what `import "virtwire"` gives, so nothing of the schema compiler.
  index: { rooms: codec },
  transfer: { rooms: ["runtime", "generated", "streams"], node: true },
  demo: { rooms: ["runtime", "generated", "device"], node: true },
  project: { rooms: ["schema", "codegen"], node: true },
  plugin: {
    rooms: ["schema", "codegen", "project"],
    packages: ["unplugin", "vite", "rollup", "esbuild", "webpack"],
    node: true,
  },
  cli: {
    rooms: ["schema", "codegen", "compat", "project", ...codec, "vhost-user", "transfer", "demo", "plugin"],
    packages: ["citty", "unbzip2-stream", "xxhash-wasm", "xz-decompress"],
    node: true,
  },
};

/** Text that only means something on the machine it was written on, or names one registry among many. */
const foreign: readonly RegExp[] = [
  /(?<![\w.*~})$-])\/(?:work|tmp|farm|root|home\/\w+|Users\/\w+)\/[\w.]/,
  /\bregistry\.(?:npmjs|yarnpkg|npmmirror)\b/,
  /\b(?:unpkg|jsdelivr|npm\.pkg\.github)\.(?:com|net)\b/,
  /\bnpm\.jsr\.io\b/,
  /\b[\w-]+\.pkg\.dev\b/,
  /\bdeb\.[\w-]+\.(?:org|com|net)\b/,
  /\b(?:ftp|security|snapshot)\.(?:\w+\.)?debian\.org\b/,
  /\b(?:archive|security|ports)\.ubuntu\.com\b/,
];

function roomOf(path: string): string | undefined {
  if (path.startsWith("generated/")) return "generated";
  if (path === "src/index.ts" || path === "src/index.js") return "index";
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** What is wrong with one import of one file, if anything. */
function importProblem(path: string, from: string, room: Room, specifier: string): string | undefined {
  if (isBuiltin(specifier)) {
    return room.node ? undefined : `${from} must not use Node modules: ${specifier}`;
  }
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier);
    const to = roomOf(target);
    if (to === from || (to !== undefined && room.rooms.includes(to))) return undefined;
    return `${from} must not import from ${to ?? "outside the house"}: ${specifier}`;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return room.packages?.includes(name) ? undefined : `${from} must not import the package ${specifier}`;
}

/** Every broken import of a source file as `file:line: what`. Type imports count: they couple just as well. */
function brokenImports(path: string, text: string): string[] {
  const from = roomOf(path);
  const room = from === undefined ? undefined : house[from];
  if (from === undefined || room === undefined) return [`${path}:1: stands in no room of the house`];
  return ts.preProcessFile(text, true, true).importedFiles.flatMap(({ fileName, pos }) => {
    const problem = importProblem(path, from, room, fileName);
    return problem === undefined ? [] : [`${path}:${lineAt(text, pos)}: ${problem}`];
  });
}

/** Every line of a file with text that must not be committed, as `file:line: text`. */
function foreignText(path: string, text: string): string[] {
  return text.split("\n").flatMap((line, index) => {
    const match = foreign.map((pattern) => pattern.exec(line)?.[0]).find((found) => found !== undefined);
    return match === undefined ? [] : [`${path}:${index + 1}: ${match}`];
  });
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** Tracked files, and those that the next `git add .` would track. */
function files(): string[] {
  // A checkout that belongs to another user (a container, a CI mount) is still this repository.
  const list = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  return execFileSync("git", list, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\0")
    .filter((path) => path !== "");
}

/** The text of a file, or undefined for a binary file and for one that is deleted but still tracked. */
function read(path: string): string | undefined {
  try {
    const text = readFileSync(posix.join(root, path), "utf8");
    return text.includes("\0") ? undefined : text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

describe("the house", () => {
  const all = files();

  it("is found", () => {
    expect(all).toContain("package.json");
  });

  it("imports only upwards", () => {
    const sources = all.filter((path) => /^(?:src|generated)\//.test(path));
    // Vite and tsx resolve "./a.js" to a stray compiler output before they try a.ts.
    expect(sources.filter((path) => /\.[cm]?jsx?$/.test(path))).toEqual([]);
    expect(sources.flatMap((path) => brokenImports(path, read(path) ?? ""))).toEqual([]);
  });

  it("has a room behind every row", () => {
    const rooms = new Set(all.map(roomOf));
    expect(Object.keys(house).filter((name) => !rooms.has(name))).toEqual([]);
  });

  it("holds no machine paths and no registry hosts", () => {
    expect(all.flatMap((path) => foreignText(path, read(path) ?? ""))).toEqual([]);
  });
});

describe("the rules of the house refuse", () => {
  const planted: readonly [path: string, text: string, problem: string][] = [
    ["src/runtime/a.ts", 'import { x } from "../schema/b.js";', ":1: runtime must not import from schema"],
    ["src/runtime/a.ts", "\nimport 'node:fs';", ":2: runtime must not use Node modules: node:fs"],
    ["src/schema/a.ts", 'import { join } from "path";', ":1: schema must not use Node modules: path"],
    [
      "src/schema/a.ts",
      'import type { X } from "../codegen/b.js";',
      ":1: schema must not import from codegen",
    ],
    ["src/schema/a.ts", 'import "chevrotain-extra";', ":1: schema must not import the package"],
    [
      "src/codegen/a.ts",
      'const x = await import("../runtime/b.js");',
      ":1: codegen must not import from runtime",
    ],
    ["src/streams/a.ts", 'export * from "../device/b.js";', ":1: streams must not import from device"],
    ["src/inspect/a.ts", 'type X = import("../cli/b.js").X;', ":1: inspect must not import from cli"],
    ["src/index.ts", 'export * from "./schema/index.js";', ":1: index must not import from schema"],
    [
      "generated/virtio/a.ts",
      'import "../../src/streams/b.js";',
      ":1: generated must not import from streams",
    ],
    [
      "generated/virtio/a.ts",
      'import "../../test/b.js";',
      ":1: generated must not import from outside the house",
    ],
    [
      "src/device/a.ts",
      'import "virtwire/runtime";',
      ":1: device must not import the package virtwire/runtime",
    ],
    ["src/shed/a.ts", "export {};", ":1: stands in no room"],
    ["src/stray.ts", "export {};", ":1: stands in no room"],
  ];

  it.each(planted)("%s with %s", (path, text, problem) => {
    expect(brokenImports(path, text)).toEqual([expect.stringContaining(path + problem)]);
  });

  it("but not what is allowed", () => {
    expect(brokenImports("src/schema/a.ts", 'import { CstParser } from "chevrotain";')).toEqual([]);
    expect(brokenImports("generated/vfio/a.ts", 'import "../../src/runtime/index.js";')).toEqual([]);
    expect(brokenImports("src/cli/a.ts", 'import "node:fs"; import "../schema/index.js";')).toEqual([]);
  });

  // Put together here, so that this file passes its own rule.
  it.each(["work", "tmp", "root"])("a path in /%s", (folder) => {
    expect(foreignText("a", `\nsee /${folder}/notes.txt`)).toEqual([`a:2: /${folder}/n`]);
    expect(foreignText("a", `file:///${folder}/notes.txt`)).toHaveLength(1);
    expect(foreignText("a", `see docs/${folder}/notes.txt and https://example.org/${folder}/n`)).toEqual([]);
  });

  it.each([
    ["registry", "npmjs", "org"],
    ["deb", "debian", "org"],
    ["deb", "nodesource", "com"],
  ])("the host %s.%s.%s", (...labels) => {
    expect(foreignText("a", `"https://${labels.join(".")}/x"`)).toHaveLength(1);
  });
});
