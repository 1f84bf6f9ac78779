/**
 * How names of the source documents become names of TypeScript, in one place: a clash that is resolved in two places
 * is resolved in two ways. The rule for everything that cannot be used as it is: a trailing `$`, which no C name has.
 */
import type { Decl, Module, RunNode, SwitchNode } from "../schema/ir.js";
import { runsOf, switchesOf } from "./members.js";

/** `virtio_dev_ctx_field_tlv` → `VirtioDevCtxFieldTlv`. */
export function pascalCase(source: string): string {
  const words = wordsOf(source).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return startingWithLetter(words.join(""));
}

/** `guest_address` → `guestAddress`. */
export function camelCase(source: string): string {
  return startingWithLetter(camelCaseText(source));
}

/** The same for text that need not be an identifier: what names an empty case may be a number. */
export function camelCaseText(source: string): string {
  const [first = "", ...others] = wordsOf(source);
  const words = others.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return first.charAt(0).toLowerCase() + first.slice(1) + words.join("");
}

/** `virtio_dev_ctx` → `VIRTIO_DEV_CTX`. */
export function constantCase(source: string): string {
  return startingWithLetter(source.toUpperCase());
}

/** Words in capitals are brought down, so that `VIRTIO_PCI` gives `VirtioPci`; mixed case is somebody's choice. */
function wordsOf(source: string): string[] {
  return source
    .split("_")
    .filter((word) => word !== "")
    .map((word) => (word === word.toUpperCase() ? word.toLowerCase() : word));
}

/** `_9p` would be left with a digit in front. */
function startingWithLetter(name: string): string {
  return /^[A-Za-z_$]/.test(name) ? name : `_${name}`;
}

/** A set of names, each given to one thing only. */
export class Scope {
  private readonly taken: Set<string>;
  private readonly reserved: readonly ReadonlySet<string>[];

  constructor(...reserved: readonly ReadonlySet<string>[]) {
    this.taken = new Set();
    this.reserved = reserved;
  }

  /** The name itself, or with as many `$` as it takes to be the only one. */
  claim(preferred: string): string {
    let name = preferred;
    while (this.has(name)) name += "$";
    this.taken.add(name);
    return name;
  }

  has(name: string): boolean {
    return this.taken.has(name) || this.reserved.some((set) => set.has(name));
  }
}

/** Property names that every object has already, or that do something else than make a property. */
export const PROTOTYPE_NAMES: ReadonlySet<string> = new Set([
  "__proto__",
  "__defineGetter__",
  "__defineSetter__",
  "__lookupGetter__",
  "__lookupSetter__",
  "constructor",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "toLocaleString",
  "toString",
  "valueOf",
]);

/** What no variable, parameter or function may be called in a module. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends " +
    "false finally for function if implements import in instanceof interface let new null package private protected " +
    "public return static super switch this throw true try typeof var void while with yield async of get set as from " +
    "type undefined any unknown never object string number bigint boolean symbol NaN Infinity globalThis"
  )
    .split(" ")
    // These are keywords only where no name can stand, and they are common names of fields.
    .filter(
      (word) =>
        !["type", "of", "get", "set", "as", "from", "async", "any", "object", "unknown"].includes(word),
    ),
);

/** Names that are there without an import. A schema type of the same name must not hide what generated code uses. */
export const GLOBAL_NAMES: ReadonlySet<string> = new Set(
  (
    "AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error " +
    "EvalError FinalizationRegistry Float32Array Float64Array Function Int16Array Int32Array Int8Array Intl Iterator " +
    "JSON Map Math Number Object Promise Proxy RangeError Record ReferenceError Reflect RegExp Set SharedArrayBuffer " +
    "String Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef " +
    "WeakSet globalThis"
  ).split(" "),
);

/** What the runtime exports and generated code may import. */
export const RUNTIME_NAMES: ReadonlySet<string> = new Set(
  (
    "Fault FaultCode formatFault WireError MAX_SAFE_HIGH rawS64 rawU64 writeS64 writeU64 explain Leaf Reader " +
    "ReaderOptions readerOf Source readPaddedText readText writeText FieldValue Site Visitor inside Writer Fitting " +
    "broken misfit missing unexpected writeReserved wrongLength FlagBit flagNames ended narrow needBytes otherConstant partElement " +
    "verdict wholeElements widen CommandRow MessageRow View PushParser ParserOptions enterRange exactS64 exactU64 " +
    "heeding isCut leaveRange report reportLack reportShort"
  ).split(" "),
);

/** Variables that the printers of functions use themselves. A field of the same name gets a `$`. */
export const LOCAL_NAMES: ReadonlySet<string> = new Set(
  (
    "reader writer visitor value view bytes source target at start end from depth outer error i j k index list row " +
    "item size next count number options context parser handler " +
    // As variables these two would pass for what they mean in the language.
    "extent remaining slice here needed most goesOn as of"
  ).split(" "),
);

/** What is made from one declaration, besides the type of its own name. The order decides who gets a disputed name. */
const DERIVED: Readonly<Record<string, (source: string, type: string) => string>> = {
  // Structs.
  read: (_, type) => `read${type}`,
  readAt: (_, type) => `read${type}At`,
  decode: (_, type) => `decode${type}`,
  scan: (_, type) => `scan${type}`,
  scanAt: (_, type) => `scan${type}At`,
  check: (_, type) => `check${type}`,
  sizeof: (_, type) => `sizeof${type}`,
  write: (_, type) => `write${type}`,
  writeAt: (_, type) => `write${type}At`,
  encode: (_, type) => `encode${type}`,
  view: (_, type) => `${type}View`,
  walk: (_, type) => `walk${type}`,
  parser: (_, type) => `${type}Parser`,
  handler: (_, type) => `${type}Handler`,
  size: (source) => `${constantCase(source)}_SIZE`,
  sites: (source) => `${constantCase(source)}_SITES`,
  // Enums, flags and tables.
  nameOf: (_, type) => `${lowerFirst(type)}Name`,
  namesOf: (_, type) => `${lowerFirst(type)}Names`,
  bits: (_, type) => `${lowerFirst(type)}Bits`,
  is: (_, type) => `is${type}`,
  table: (_, type) => `${lowerFirst(type)}Table`,
  descriptors: (_, type) => `${lowerFirst(type)}Descriptors`,
};

const FEATURES_OF: Readonly<Record<Decl["kind"], readonly string[]>> = {
  const: [],
  enum: ["nameOf", "is"],
  flags: ["namesOf", "bits"],
  struct: [
    "read",
    "readAt",
    "decode",
    "scan",
    "scanAt",
    "check",
    "sizeof",
    "write",
    "writeAt",
    "encode",
    "view",
    "walk",
    "parser",
    "handler",
    "size",
    "sites",
  ],
  commands: ["table", "descriptors"],
  messages: ["table", "descriptors"],
};

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The constant of each generated file that names the schema file in errors. */
export const SCHEMA_FILE = "FILE";

/** The names that one generated file exports, given out once for the whole file so that order of use is no matter. */
export class ModuleNames {
  /** What the file declares and what it imports. */
  readonly scope: Scope = new Scope(RESERVED_WORDS, GLOBAL_NAMES, RUNTIME_NAMES);
  private readonly types = new Map<Decl, string>();
  private readonly derived = new Map<Decl, Map<string, string>>();
  private readonly unions = new Map<SwitchNode, string>();
  private readonly runs = new Map<RunNode, string>();

  constructor(module: Module) {
    this.scope.claim(SCHEMA_FILE);
    for (const decl of module.decls) {
      // A table is no type: its enum has its name.
      if (decl.kind === "commands" || decl.kind === "messages") continue;
      this.types.set(decl, this.scope.claim(decl.kind === "const" ? decl.name : pascalCase(decl.name)));
    }
    for (const decl of module.decls) {
      if (decl.kind !== "struct") continue;
      for (const node of switchesOf(decl)) {
        this.unions.set(node, this.scope.claim(this.type(decl) + pascalCase(node.name)));
      }
    }
    for (const decl of module.decls) {
      const type = this.types.get(decl) ?? pascalCase(decl.name);
      const names = new Map<string, string>();
      for (const feature of FEATURES_OF[decl.kind]) {
        const make = DERIVED[feature];
        if (make !== undefined) names.set(feature, this.scope.claim(make(decl.name, type)));
      }
      this.derived.set(decl, names);
      if (decl.kind !== "struct") continue;
      runsOf(decl.nodes).forEach((run, index) => {
        const number = index === 0 ? "" : String(index + 1);
        this.runs.set(run, this.scope.claim(`${constantCase(decl.name)}_LEAVES${number}`));
      });
    }
  }

  /** The name of the interface, enum or flag set; of a constant, its own. */
  type(decl: Decl): string {
    return known(this.types.get(decl), decl.name);
  }

  /** The name of what `feature` makes of the declaration, e.g. `read` → `readVirtioDevCtx`. */
  of(decl: Decl, feature: string): string {
    return known(this.derived.get(decl)?.get(feature), `${decl.name}: ${feature}`);
  }

  /** The type of a switch: the union of its cases. */
  union(node: SwitchNode): string {
    return known(this.unions.get(node), node.name);
  }

  /** The constant that lists what lies in a run. */
  leaves(run: RunNode): string {
    return known(this.runs.get(run), "a run");
  }
}

/** The names of the files of a program, each given out when it is first asked about. */
export class ProgramNames {
  private readonly modules = new Map<Module, ModuleNames>();

  module(module: Module): ModuleNames {
    let names = this.modules.get(module);
    if (names === undefined) {
      names = new ModuleNames(module);
      this.modules.set(module, names);
    }
    return names;
  }
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`no name was given out for ${what}`);
  return value;
}
