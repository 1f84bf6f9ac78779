/** The interpreter against generated code, over random schemas: two ways from the IR to the meaning of bytes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { interpret } from "../../src/compat/interpret.js";
import type { Leaf } from "../../src/compat/reading.js";
import { type FieldValue, Reader, type Site, type Visitor } from "../../src/runtime/index.js";
import { compile, type Struct } from "../../src/schema/index.js";
import { type Codec, codecOf, consistentSchemas, load, seed } from "../properties/drawn.js";
import { Noise } from "../properties/noise.js";
import type { Sample } from "../properties/schema-arbitrary.js";

async function everySample(check: (struct: Struct, sample: Sample, codec: Codec) => void): Promise<void> {
  const property = fc.asyncProperty(consistentSchemas(), async (schema) => {
    const module = await load(schema);
    const { program } = compile([{ file: "test.wire", text: schema.text }]);
    for (const drawn of schema.structs) {
      const struct = program?.modules[0]?.decls.find(({ name }) => name === drawn.name);
      if (struct?.kind !== "struct") throw new Error(`${drawn.name} is no struct`);
      for (const sample of drawn.samples) check(struct, sample, codecOf(module, drawn, sample.args));
    }
  });
  await fc.assert(property, { seed, numRuns: 60, interruptAfterTimeLimit: 15_000 });
}

function argumentsOf({ params }: Struct, { args }: Sample): Map<string, bigint> {
  return new Map(params.map(({ name }, i) => [name, BigInt(args[i] as number | bigint | boolean)]));
}

/** The values that a walk reports, as `offset+size name = value`. */
class Values implements Visitor {
  readonly texts: string[] = [];
  open(): void {}
  close(): void {}
  fault(): void {}
  field(site: Site, _index: number, at: number, size: number, value: FieldValue): void {
    this.texts.push(`${at}+${size} ${site.name} = ${valueText(value)}`);
  }
}

function valueText(value: FieldValue): string {
  if (typeof value === "string")
    return Buffer.from(value, "latin1")
      .toString("hex")
      .replace(/(?:00)+$/, "");
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

function leafText({ path, at, size, value }: Leaf, isText: boolean): string {
  const name = (path.split(".").at(-1) ?? "").replace(/(?:\[\d+\])+$/, "");
  const bytes = value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
  return `${at}+${size} ${name} = ${isText ? bytes.replace(/(?:00)+$/, "") : bytes}`;
}

describe("the interpreter", () => {
  it("reads the values that generated code walks over", () =>
    everySample((struct, sample, { walk }) => {
      const walked = new Values();
      walk(new Reader(sample.bytes), walked);
      const { leaves, fault, size } = interpret(struct, sample.bytes, argumentsOf(struct, sample));
      expect(fault).toBeUndefined();
      expect(size).toBe(sample.bytes.length);
      const values = leaves.filter(({ value }) => typeof value !== "string");
      expect(values.length).toBe(walked.texts.length);
      values.forEach((leaf, i) => {
        expect([leafText(leaf, false), leafText(leaf, true)]).toContain(walked.texts[i]);
      });
    }));

  it("finds the fault that generated code finds", () =>
    everySample((struct, sample, { check }) => {
      const noise = new Noise(sample.bytes);
      for (let i = 0; i < 20; i++) {
        const bytes = noise.spoil(sample.bytes);
        const { fault, size } = interpret(struct, bytes, argumentsOf(struct, sample));
        const trailing = size < bytes.length ? { code: "trailing", path: "", offset: size } : undefined;
        const error = check(bytes);
        const found = error && { code: error.code, path: error.path, offset: error.offset };
        expect(fault ?? trailing, Buffer.from(bytes).toString("hex")).toEqual(found);
      }
    }));
});
