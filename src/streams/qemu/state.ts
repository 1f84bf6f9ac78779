/**
 * Reads the state of a device as its description says. Every field is reported with its place and its value; encodings
 * that only the device knows (`virtio`, `pci config`, …) are one field of bytes.
 */
import { readQemuVmSubsection, scanQemuVmSubsection } from "../../../generated/qemu/stream.js";
import type { Fault, FaultCode, Reader, Site, Visitor } from "../../runtime/index.js";
import { type FieldDescription, fieldsSize, type StateDescription, subsectionsSize } from "./description.js";
import { INTEGERS, type Integer, u8, u32, u64 } from "./state-integers.js";

/** Where the layout comes from, in the place of a schema line. */
const SCHEMA = "vmdescription";

/**
 * Reports what is inside a field, from the reader's cursor to its end. False: something is wrong, and the visitor has
 * heard it.
 */
export type WalkInside = (reader: Reader, visitor: Visitor, path: string) => boolean;

/** How to look into a field that the description says nothing about. Undefined: it is bytes. */
export type LookInside = (field: FieldDescription) => WalkInside | undefined;

/** Arrays of integers that take more bytes than this are memory of a device: an element alone means nothing. */
const MAX_ARRAY = 1 << 16;

/** What stands for a NULL in an array of pointers: the character 0, to tell it from a zero. */
const NULL_POINTER = 0x30;
const LIST_ELEMENT = 1;
const LIST_END = 0;

/**
 * Reads one state from the reader's cursor, up to its end at most. Places are indices of the reader, as in generated
 * walks. What is wrong goes to the visitor; the result says whether nothing was, and that nothing is left over is for
 * the caller to check. `inside` is asked about fields that are bytes to the description.
 */
export function walkState(
  reader: Reader,
  state: StateDescription,
  visitor: Visitor,
  path = "",
  inside: LookInside = () => undefined,
): boolean {
  const walker = new StateWalker(reader, visitor, path, inside);
  walker.state(state);
  return walker.clean;
}

class StateWalker {
  clean = true;
  private readonly reader: Reader;
  private readonly visitor: Visitor;
  private readonly path: string[];
  private readonly look: LookInside;

  constructor(reader: Reader, visitor: Visitor, path: string, look: LookInside) {
    this.reader = reader;
    this.visitor = visitor;
    this.look = look;
    this.path = path === "" ? [] : [path];
  }

  /** False when what follows cannot be found any more. */
  state(state: StateDescription): boolean {
    const behind = subsectionsSize(state.subsections);
    return this.fields(state.fields, behind) && this.subsections(state.subsections);
  }

  /**
   * Fields of one name that follow one another are the elements of one array. `behind`: bytes that follow the last field
   * in the same state.
   */
  private fields(fields: readonly FieldDescription[], behind: number): boolean {
    for (let i = 0; i < fields.length; ) {
      const first = fields[i] as FieldDescription;
      let next = i + 1;
      while (fields[next]?.name === first.name) next++;
      if (first.unsized) {
        this.pointers(first, fieldsSize(fields.slice(i + 1)) + behind);
        i++;
        continue;
      }
      if (
        !(next === i + 1 && first.count === 1 ? this.field(first, -1, 1) : this.array(fields.slice(i, next)))
      ) {
        return false;
      }
      i = next;
    }
    return true;
  }

  /** NULLs, each one byte, and states that the description says nothing about: all up to what follows. */
  private pointers(field: FieldDescription, behind: number): void {
    const { reader } = this;
    const { at } = reader;
    const size = Math.max(0, reader.end - at - behind);
    const site: Site = { name: field.name, type: `${field.type}[${field.count}]`, schema: SCHEMA };
    this.visitor.field(site, -1, at, size, reader.slice(size));
  }

  private array(segments: readonly FieldDescription[]): boolean {
    const first = segments[0] as FieldDescription;
    const bytes = first.size * first.count;
    if (
      segments.length === 1 &&
      INTEGERS.has(first.type) &&
      bytes > MAX_ARRAY &&
      bytes <= this.reader.end - this.reader.at
    ) {
      return this.image(first, bytes);
    }
    let length = 0;
    for (const segment of segments) length += segment.count;
    this.open({ name: first.name, type: `${first.type}[${length}]`, schema: SCHEMA }, -1);
    let index = 0;
    let readable = true;
    for (const segment of segments) {
      // An element without bytes would let a count from the file run a loop for hours.
      const count = segment.size === 0 ? Math.min(segment.count, 1) : segment.count;
      for (let i = 0; i < count && readable; i++) {
        readable = this.named(`${first.name}[${index + i}]`, () => this.element(segment, index + i, count));
      }
      index += count;
      if (!readable) break;
    }
    this.close();
    return readable;
  }

  /** An array too large for a visitor to be told of every element: its bytes. */
  private image(field: FieldDescription, size: number): boolean {
    const at = this.reader.at;
    const site: Site = { name: field.name, type: `${field.type}[${field.count}]`, schema: SCHEMA };
    this.visitor.field(site, -1, at, size, this.reader.slice(size));
    return true;
  }

  private field(field: FieldDescription, index: number, count: number): boolean {
    return this.named(field.name, () => this.element(field, index, count));
  }

  private named(name: string, read: () => boolean): boolean {
    this.path.push(name);
    const readable = read();
    this.path.pop();
    return readable;
  }

  private element(field: FieldDescription, index: number, count: number): boolean {
    const { reader } = this;
    const integer = INTEGERS.get(field.type);
    if (integer !== undefined) return this.integer(field, integer, index);
    const walk = this.look(field);
    if (walk !== undefined) return this.inside(field, index, walk);
    if (field.struct !== undefined || field.elements.length > 0 || LISTS.has(field.type)) {
      return this.nested(field, index, count);
    }
    const at = reader.at;
    if (!this.has(field.size)) return false;
    const bytes = reader.slice(field.size);
    if (field.type === "nullptr") {
      if (bytes.length !== 1 || bytes[0] !== NULL_POINTER) {
        this.fault("constant", at, "a NULL in an array of pointers is the character 0");
      }
      this.visitor.field(
        { name: field.name, type: "nullptr", schema: SCHEMA, meaning: () => "NULL" },
        index,
        at,
        field.size,
        bytes[0] ?? 0,
      );
      return true;
    }
    const site: Site =
      field.type === "unused_buffer"
        ? { name: field.name, type: field.type, schema: SCHEMA, role: "reserved" }
        : { name: field.name, type: field.type, schema: SCHEMA };
    this.visitor.field(site, index, at, field.size, bytes);
    return true;
  }

  /** What is there of a field that is cut is still shown. The place where it goes wrong in there says the most. */
  private inside(field: FieldDescription, index: number, walk: WalkInside): boolean {
    const { reader } = this;
    const { at, end } = reader;
    const isWhole = field.size <= end - at;
    if (isWhole) reader.end = at + field.size;
    this.open({ name: field.name, type: field.struct?.name ?? field.type, schema: SCHEMA }, index);
    const sound = walk(reader, this.visitor, this.where());
    reader.at = reader.end;
    this.close();
    reader.end = end;
    this.clean = this.clean && sound;
    if (!isWhole && sound) {
      reader.at = at;
      this.has(field.size);
    }
    return isWhole;
  }

  private integer(field: FieldDescription, integer: Integer, index: number): boolean {
    const { reader } = this;
    if (field.size !== integer.size) {
      this.fault("constraint", reader.at, `described as ${field.type} of ${field.size} bytes`);
      return false;
    }
    if (!this.has(integer.size)) return false;
    const at = reader.at;
    const value = integer.read(reader);
    const site: Site =
      integer.meaning === undefined
        ? { name: field.name, type: field.type, schema: SCHEMA }
        : { name: field.name, type: field.type, schema: SCHEMA, meaning: integer.meaning };
    this.visitor.field(site, index, at, integer.size, value);
    return true;
  }

  /**
   * Structs, lists and trees. The size bounds them where it is theirs: in an array that is described once for all, it
   * is that of the first element.
   */
  private nested(field: FieldDescription, index: number, count: number): boolean {
    const { reader } = this;
    const bounded = count === 1;
    if (bounded && !this.has(field.size)) return false;
    const outer = reader.end;
    if (bounded) reader.end = reader.at + field.size;
    this.open({ name: field.name, type: field.struct?.name ?? field.type, schema: SCHEMA }, index);
    let readable = this.inner(field);
    if (bounded) {
      if (readable && reader.at !== reader.end) {
        this.fault("trailing", reader.at, `${reader.end - reader.at} bytes more than its fields take`);
      }
      // The next field's place is known whatever happened in here.
      reader.at = reader.end;
      reader.end = outer;
      readable = true;
    }
    this.close();
    return readable;
  }

  private inner(field: FieldDescription): boolean {
    if (field.struct !== undefined) return this.state(field.struct);
    if (field.type === "qtailq" || field.type === "qlist") return this.list(field.elements);
    if (field.type === "gtree") return this.tree(field.elements);
    return field.elements.every((state) => this.state(state));
  }

  /** Each element is led by a 1, and a 0 ends the list. */
  private list(elements: readonly StateDescription[]): boolean {
    return (
      elements.every((state, i) => this.marker(LIST_ELEMENT) && this.item(state, i)) && this.marker(LIST_END)
    );
  }

  /** A count, then a list of keys and values; keys are states of their own, or eight bytes. */
  private tree(elements: readonly StateDescription[]): boolean {
    const at = this.reader.at;
    if (!this.has(u32.size)) return false;
    const nodes = Number(u32.read(this.reader));
    this.visitor.field(
      { name: "nodes", type: "uint32", schema: SCHEMA, role: "derived" },
      -1,
      at,
      u32.size,
      nodes,
    );
    const directKeys = elements.length === nodes;
    if (!directKeys && elements.length !== nodes * 2) {
      this.fault("length", at, `${nodes} nodes, ${elements.length} states described`);
      return false;
    }
    for (let i = 0; i < nodes; i++) {
      if (!this.marker(LIST_ELEMENT)) return false;
      if (directKeys) {
        const keyAt = this.reader.at;
        if (!this.has(u64.size)) return false;
        const key = u64.read(this.reader);
        this.visitor.field({ name: "key", type: "uint64", schema: SCHEMA }, i, keyAt, u64.size, key);
      } else if (!this.item(elements[i * 2] as StateDescription, i)) {
        return false;
      }
      if (!this.item(elements[directKeys ? i : i * 2 + 1] as StateDescription, i)) return false;
    }
    return this.marker(LIST_END);
  }

  private item(state: StateDescription, index: number): boolean {
    this.open({ name: state.name, type: state.name, schema: SCHEMA }, index);
    const readable = this.named(`[${index}]`, () => this.state(state));
    this.close();
    return readable;
  }

  private marker(expected: number): boolean {
    const at = this.reader.at;
    if (!this.has(u8.size)) return false;
    const found = Number(u8.read(this.reader));
    this.visitor.field(
      { name: expected === LIST_END ? "end" : "element", type: "uint8", schema: SCHEMA, role: "constant" },
      -1,
      at,
      u8.size,
      found,
    );
    if (found === expected) return true;
    this.fault(
      "constant",
      at,
      `${expected} is expected before ${expected === LIST_END ? "the end" : "an element"} of the list, found ${found}`,
    );
    return false;
  }

  private subsections(subsections: readonly StateDescription[]): boolean {
    return subsections.every((sub) => this.named(sub.name, () => this.subsection(sub)));
  }

  private subsection(sub: StateDescription): boolean {
    const { reader } = this;
    const at = reader.at;
    if (!scanQemuVmSubsection(reader)) {
      this.clean = false;
      const fault = reader.fault as Fault;
      this.visitor.fault({
        ...fault,
        path: this.where(),
        detail: "the description says that a subsection follows",
      });
      return false;
    }
    reader.at = at;
    const head = readQemuVmSubsection(reader);
    this.open({ name: sub.name, type: "subsection", schema: SCHEMA }, -1, at);
    if (head.name.text !== sub.name) {
      this.fault("constraint", at, `subsection ${head.name.text} stands where ${sub.name} is described`);
    } else if (sub.version !== undefined && head.versionId !== sub.version) {
      this.fault("constraint", at, `version ${head.versionId}, described as ${sub.version}`);
    }
    const readable = this.state(sub);
    this.close();
    return readable;
  }

  private has(size: number): boolean {
    const { reader } = this;
    if (size <= reader.end - reader.at) return true;
    this.fault("overrun", reader.at, undefined, size);
    return false;
  }

  private fault(code: FaultCode, at: number, detail: string | undefined, need?: number): void {
    this.clean = false;
    const { reader } = this;
    this.visitor.fault({
      code,
      path: this.where(),
      offset: reader.base + at,
      need,
      had: need === undefined ? undefined : Math.max(0, reader.end - at),
      detail,
      schema: SCHEMA,
    });
  }

  private where(): string {
    return this.path.join(".").replaceAll(".[", "[");
  }

  private open(site: Site, index: number, at: number = this.reader.at): void {
    this.visitor.open(site, index, at);
  }

  private close(): void {
    this.visitor.close(this.reader.at);
  }
}

/** Encodings whose content is described even when it is empty. */
const LISTS: ReadonlySet<string> = new Set(["qtailq", "qlist", "gtree"]);
