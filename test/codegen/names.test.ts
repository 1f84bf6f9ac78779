import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { camelCase, constantCase, pascalCase, RUNTIME_NAMES, Scope } from "../../src/codegen/names.js";
import { Printer } from "../../src/codegen/printer.js";
import { generate } from "./load.js";

describe("names", () => {
  it.each([
    ["virtio_dev_ctx_field_tlv", "VirtioDevCtxFieldTlv", "virtioDevCtxFieldTlv", "VIRTIO_DEV_CTX_FIELD_TLV"],
    ["guest_address", "GuestAddress", "guestAddress", "GUEST_ADDRESS"],
    ["VIRTIO_PCI", "VirtioPci", "virtioPci", "VIRTIO_PCI"],
    ["VhostUserHeader", "VhostUserHeader", "vhostUserHeader", "VHOSTUSERHEADER"],
    ["_9p_config", "_9pConfig", "_9pConfig", "_9P_CONFIG"],
    ["__proto__", "Proto", "proto", "__PROTO__"],
    ["x", "X", "x", "X"],
  ])("%s", (source, pascal, camel, constant) => {
    expect([pascalCase(source), camelCase(source), constantCase(source)]).toEqual([pascal, camel, constant]);
  });

  it("are given to one thing only", () => {
    const scope = new Scope(new Set(["taken"]));
    expect(["a", "a", "taken", "a", "a$"].map((name) => scope.claim(name))).toEqual([
      "a",
      "a$",
      "taken$",
      "a$$",
      "a$$$",
    ]);
  });
});

describe("a printer", () => {
  const imported = (name: string, from: string, type: boolean) => ({ name, from, type, reserved: false });

  it("imports what is printed, once, and as a type where all uses are types", () => {
    const out = new Printer(new Scope());
    out.line("let a: ", imported("A", "./a.js", true), " = ", imported("make", "./a.js", false), "();");
    out.line("let b: ", imported("B", "./b.js", true), " | ", imported("A", "./a.js", true), ";");
    out.line(imported("Both", "./b.js", false), "(b as ", imported("Both", "./b.js", true), ");");
    expect(out.finish(["// head"])).toBe(
      [
        "// head",
        'import { type A, make } from "./a.js";',
        'import { type B, Both } from "./b.js";',
        "",
        "let a: A = make();",
        "let b: B | A;",
        "Both(b as Both);",
        "",
      ].join("\n"),
    );
  });

  it("renames an import that the file has another use for", () => {
    const scope = new Scope();
    scope.claim("Header");
    const out = new Printer(scope);
    out.line(imported("Header", "./a.js", true), " ", imported("Header", "../b.js", true));
    expect(out.finish([])).toBe(
      'import type { Header as Header$$ } from "../b.js";\nimport type { Header as Header$ } from "./a.js";\n\nHeader$ Header$$\n',
    );
  });

  it("breaks what is too long, and cannot be made to end a comment", () => {
    const out = new Printer(new Scope());
    out.list("call(", ["a".repeat(60), "b".repeat(60)], ");");
    out.doc(["one */ two"]);
    expect(out.finish([])).toBe(
      `call(\n  ${"a".repeat(60)},\n  ${"b".repeat(60)},\n);\n/** one *\\/ two */\n`,
    );
  });
});

describe("generated files", () => {
  const files = [
    {
      file: "deep/down/a.wire",
      text: "module deep.a native; struct header { u16 x; } enum kind : u8 { A = 1 } const N = 2;",
    },
    {
      file: "deep/b.wire",
      text: "module deep.b big; import deep.a { header, kind, N }; struct reader { kind kind; header h; header in little l; u8 pad[N]; }",
    },
  ];

  it("import each other by the way from one to the other", () => {
    const text = generate(files, "virtwire/runtime").get("deep/b.ts");
    expect(text).toContain('} from "virtwire/runtime";');
    expect(text).toContain('} from "./down/a.js";');
    expect(text).toContain("h: readHeaderAt(reader, at + 1, false),");
    expect(text).toContain("l: readHeaderAt(reader, at + 3, true),");
  });
});

describe("names of the runtime", () => {
  it("are all kept free", () => {
    const index = readFileSync(new URL("../../src/runtime/index.ts", import.meta.url), "utf8");
    const exported = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)]
      .flatMap(([, names = ""]) => names.split(","))
      .map((name) => name.replace(/^\s*(?:type )?|\s+$/g, ""))
      .filter((name) => name !== "");
    expect(exported).toContain("Reader");
    expect(exported.filter((name) => !RUNTIME_NAMES.has(name))).toEqual([]);
  });
});
