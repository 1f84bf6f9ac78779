/**
 * Judges a witness with generated code alone: both versions are generated, loaded and run on its bytes, and must differ
 * in just what the report says.
 */
import type { Side, Witness } from "../../src/compat/index.js";
import { type FieldValue, Reader, type Site, type Visitor } from "../../src/runtime/index.js";
import { type Loaded, loadSchema } from "../codegen/load.js";
import { camelCase } from "../properties/model.js";

/** One version's generated functions for the struct of the witness. */
class Version {
  private readonly module: Loaded;
  private readonly witness: Witness;
  private readonly type: string;

  constructor(module: Loaded, witness: Witness) {
    this.module = module;
    this.witness = witness;
    const name = camelCase(witness.struct.name);
    this.type = name.charAt(0).toUpperCase() + name.slice(1);
  }

  /** How many bytes it takes; undefined when it refuses them. */
  get size(): number | undefined {
    const reader = new Reader(this.witness.bytes);
    return this.module[`scan${this.type}`](reader, ...this.args) ? reader.at : undefined;
  }

  /** `code path offset` of what it refuses. */
  get fault(): string | undefined {
    const reader = new Reader(this.witness.bytes);
    const sound: boolean = this.module[`scan${this.type}`](reader, ...this.args);
    return sound ? undefined : `${reader.fault?.code} ${reader.fault?.path} ${reader.fault?.offset}`;
  }

  /** Values with their meanings, by path. */
  get values(): ReadonlyMap<string, string> {
    const values = new Values();
    this.module[`walk${this.type}`](new Reader(this.witness.bytes), values, ...this.args);
    return values.byPath;
  }

  /** The case that a switch of the struct itself chose. */
  chosen(name: string): unknown {
    const reader = new Reader(this.witness.bytes);
    return this.module[`decode${this.type}`](reader, ...this.args)[camelCase(name)]?.case;
  }

  private get args(): readonly unknown[] {
    return [...this.witness.args].map(([name, value]) => {
      const param = this.witness.struct.params.find((each) => each.name === name);
      if (param?.type.kind !== "int") return value !== 0n;
      return param.type.int.rep === "bigint" ? value : Number(value);
    });
  }
}

class Values implements Visitor {
  readonly byPath = new Map<string, string>();
  private readonly around: string[] = [];

  open({ name }: Site, index: number): void {
    // An array and its elements have one site.
    if (index >= 0) this.around.push(`${this.around.pop() ?? ""}[${index}]`);
    this.around.push(name);
  }
  close(): void {
    this.around.pop();
  }
  fault(): void {}
  field(site: Site, index: number, _at: number, _size: number, value: FieldValue): void {
    const last = index < 0 ? site.name : `[${index}]`;
    const text = value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
    const meaning =
      typeof value === "number" || typeof value === "bigint" ? site.meaning?.(value) : undefined;
    this.byPath.set([...this.around, last].join(".").replaceAll(".[", "["), `${text} ${meaning ?? ""}`);
  }
}

/** What is wrong with the witness; undefined when the generated decoders disagree as it says. */
export async function refuted(
  witness: Witness,
  side: Side,
  old: string,
  now: string,
): Promise<string | undefined> {
  const [writing, reading] = side === "oldReaders" ? [now, old] : [old, now];
  const writer = new Version(await loadSchema(writing), witness);
  const reader = new Version(await loadSchema(reading), witness);
  const { kind, path, offset, code } = witness.disagreement;
  if (writer.size !== witness.bytes.length)
    return `the writer does not take its own message: ${writer.fault}`;
  switch (kind) {
    case "refused":
      return reader.fault === `${code} ${path} ${offset}` ? undefined : `the reader says ${reader.fault}`;
    case "length":
      return reader.size !== undefined && reader.size !== writer.size
        ? undefined
        : `both take ${reader.size}`;
    case "missing":
      return writer.values.has(path) && !reader.values.has(path) ? undefined : `${path} is there`;
    case "surplus":
      return !writer.values.has(path) && reader.values.has(path) ? undefined : `${path} is there`;
    case "value":
    case "meaning": {
      const [a, b] = [writer, reader].map(({ values }) => values.get(path));
      if (a !== undefined && b !== undefined) return a !== b ? undefined : `both say ${path} = ${a}`;
      const [c, d] = [writer, reader].map((version) => version.chosen(path));
      return c !== undefined && c !== d ? undefined : `both choose ${String(c)}`;
    }
  }
}
