/**
 * What an edit changes, worked out while the stream is inspected: which bytes of which fields, which sections go, and what
 * else must follow (the description's entries and its length, the length of a package).
 */
import { encodeQemuVmRecord, QemuVmSection } from "../../../generated/qemu/stream.js";
import type { Leaf } from "../leaves.js";
import type { Node } from "../node.js";
import { type Path, printPath } from "../path.js";
import { Match, type Pattern, parsePattern } from "../pattern.js";
import { Query } from "../query.js";
import { type CaptureRecord, hex, type Sink } from "../report.js";
import { valueText } from "../values.js";
import type { Assignment } from "./assignment.js";
import { type DescribedDevice, rewritten, withoutDevices } from "./description.js";
import { bytesFrom, encoder, hasValue, ValueError } from "./encode.js";
import { withPackageLength } from "./package.js";
import { ordered, type Patch } from "./patch.js";
import { repeatsOf } from "./repeats.js";

/** One thing that the edit does, for people. */
interface Change {
  readonly at: number;
  readonly path: string;
  readonly text: string;
}

/** The edit cannot be done; the message says why. */
export class EditError extends Error {}

/** A field that gets a value, and where it lies. */
interface Target {
  readonly assignment: Assignment;
  readonly leaf: Leaf;
  readonly node: Node;
  readonly section: string;
}

interface Place {
  readonly at: number;
  readonly size: number;
}

/** What a PACKAGED command announces. */
interface Package {
  readonly place: Place;
  readonly command: Place;
}

interface Dropped extends Place {
  readonly path: string;
  readonly device: DescribedDevice;
}

/** Fields that one assignment may change; more were not meant. */
const MAX_TARGETS = 4096;
const MACHINE = "configuration.machine";
/** A cap of the schema's. */
const MAX_MACHINE = 4096;

export class EditPlan implements Sink {
  readonly changes: Change[] = [];
  readonly notes: string[] = [];
  /** Whether the pages lie at places that the stream names. */
  isMapped = false;
  /** Whether the order of some bytes could not be told from them. */
  guessed = false;
  private readonly assignments: readonly Assignment[];
  private readonly queries: readonly Query[];
  private readonly drops: readonly { readonly text: string; readonly pattern: Pattern }[];
  private readonly targets: Target[] = [];
  /** What is said of a record as a whole, and stands at no one place. */
  private readonly attributes = new Map<Assignment, string>();
  private readonly dropped: Dropped[] = [];
  private readonly packages: Package[] = [];
  private readonly found = new Set<string>();
  private current: CaptureRecord | undefined;
  private packaged: Place | undefined;
  private machine: { readonly place: Place; readonly name: string } | undefined;
  private description: Place | undefined;
  private mappedEnd = 0;

  /** Throws `PathError`. */
  constructor(assignments: readonly Assignment[], drops: readonly string[]) {
    this.assignments = assignments;
    this.queries = assignments.map(
      (assignment) => new Query([assignment.path], (leaf) => this.target(assignment, leaf)),
    );
    this.drops = drops.map((text) => ({ text, pattern: parsePattern(sectionPattern(text)) }));
  }

  record(record: CaptureRecord): void {
    this.current = record;
    for (const query of this.queries) query.record(record);
    if (record.record === "configuration") this.configuration(record);
    else if (record.record === "section") this.section(record);
    else if (record.record === "description") this.description = record;
    else if (record.record === "command" && record.name === "MIG_CMD_PACKAGED") this.packaged = record;
    else if (record.record === "package-begin") this.package(record);
  }

  /**
   * What is to be replaced. Throws `EditError` and `OverlapError` when it cannot be done. `otherOrder`: where the bytes did not tell their
   * order, the other one than before is taken.
   */
  patches(otherOrder = false): readonly Patch[] {
    this.changes.length = 0;
    this.assignments.forEach((_, i) => {
      const query = this.queries[i];
      if (query !== undefined && query.found === 0) throw new EditError(query.miss);
    });
    for (const { text } of this.drops) {
      if (!this.found.has(text)) throw new EditError(`no section matches ${text}`);
    }
    const patches = [
      ...this.assignments.flatMap((assignment) => this.assigned(assignment, otherOrder)),
      ...this.droppedPatches(),
    ];
    this.changes.sort((a, b) => a.at - b.at);
    return ordered(patches);
  }

  /** Of a plan that has seen the stream as it was written: whether every field has the value that it was given. */
  get isDone(): boolean {
    return this.assignments.every((assignment) => {
      if (this.attributes.get(assignment) === MACHINE) return this.machine?.name === assignment.value;
      const targets = this.targets.filter((target) => target.assignment === assignment);
      const elements = byteElements(targets, assignment);
      return (elements ?? targets.map((target) => ({ target, text: assignment.value }))).every(
        ({ target, text }) => hasValue(target.node, text, target.section),
      );
    });
  }

  private target(assignment: Assignment, leaf: Leaf): void {
    const { node } = leaf;
    if (node === undefined) {
      this.attributes.set(assignment, printPath(leaf.path));
      return;
    }
    if (this.targets.length === MAX_TARGETS)
      throw new EditError(`${assignment.path} matches more than ${MAX_TARGETS} values`);
    const record = this.current;
    this.targets.push({ assignment, leaf, node, section: record?.name ?? "" });
    for (const note of record === undefined ? [] : repeatsOf(record, leaf)) {
      if (!this.notes.includes(note)) this.notes.push(note);
    }
  }

  private configuration(record: CaptureRecord): void {
    const { capabilities } = record.attributes;
    this.machine = { place: record, name: record.name };
    this.isMapped = Array.isArray(capabilities) && capabilities.includes("mapped-ram");
  }

  private section(record: CaptureRecord): void {
    const { name, at, size, path, attributes } = record;
    if (name === "ram") this.mappedEnd = Math.max(this.mappedEnd, at + size);
    for (const { text, pattern } of this.drops) {
      if (!matches(pattern, path)) continue;
      if (name === "ram") throw new EditError("without its memory no stream can be loaded: ram stays");
      if (attributes["complete"] === false)
        throw new EditError(`${printPath(path)} is not whole: nobody knows where it ends`);
      this.found.add(text);
      const instanceId = instanceOf(path);
      this.dropped.push({ at, size, path: printPath(path), device: { name, instanceId } });
      return;
    }
  }

  private package(record: CaptureRecord): void {
    if (this.packaged !== undefined) this.packages.push({ place: record, command: this.packaged });
  }

  private assigned(assignment: Assignment, otherOrder: boolean): Patch[] {
    const attribute = this.attributes.get(assignment);
    if (attribute === MACHINE) return [this.machinePatch(assignment.value)];
    const targets = this.targets.filter((target) => target.assignment === assignment);
    if (targets.length === 0) throw new EditError(`${attribute ?? assignment.path} cannot be set`);
    const elements = byteElements(targets, assignment);
    if (elements !== undefined)
      return elements.map((one) => this.fieldPatch(one.target, one.text, otherOrder));
    if (targets.length > 1 && !assignment.path.includes("*")) {
      throw new EditError(
        `${assignment.path} is ${targets.length} values: name one of them, or all of them with a star`,
      );
    }
    return targets.map((target) => this.fieldPatch(target, assignment.value, otherOrder));
  }

  private fieldPatch({ leaf, node, section }: Target, text: string, otherOrder: boolean): Patch {
    const path = printPath(leaf.path);
    let encode: ReturnType<typeof encoder>;
    try {
      encode = encoder(node, text, section, otherOrder);
    } catch (error) {
      throw error instanceof ValueError ? new EditError(`${path}: ${error.message}`) : error;
    }
    const before = valueText(node.value ?? "", node.meaning, undefined);
    this.changes.push({ at: node.at, path, text: `${before} → ${text}` });
    return {
      at: node.at,
      size: node.size,
      replace: (old) => {
        const { bytes, isGuess } = encode(old);
        this.guessed ||= isGuess;
        return bytes;
      },
    };
  }

  private machinePatch(name: string): Patch {
    const { machine } = this;
    if (machine === undefined) throw new EditError("the stream has no configuration");
    if (!/^[\x21-\x7e]+$/.test(name) || name.length > MAX_MACHINE)
      throw new EditError(`${JSON.stringify(name)} is no name of a machine type`);
    const { at } = machine.place;
    const bytes = configurationHead(name);
    const size = configurationHead(machine.name).length;
    if (bytes.length !== size) this.refuseMove(at, "a machine type of another length");
    this.changes.push({ at, path: MACHINE, text: `${machine.name} → ${name}` });
    return { at, size, replace: () => bytes };
  }

  private droppedPatches(): Patch[] {
    if (this.dropped.length === 0) return [];
    const patches: Patch[] = [];
    for (const { at, size, path } of this.dropped) {
      this.refuseMove(at, `to drop ${path}`);
      this.changes.push({ at, path, text: `dropped, ${size} bytes` });
      patches.push({ at, size, replace: undefined });
    }
    for (const one of this.packages) patches.push(...this.packagePatch(one));
    if (this.description !== undefined) patches.push(this.descriptionPatch(this.description));
    return patches;
  }

  private packagePatch({ place, command }: Package): Patch[] {
    const inside = this.dropped.filter(({ at }) => at >= place.at && at < place.at + place.size);
    const lost = inside.reduce((sum, { size }) => sum + size, 0);
    if (lost === 0) return [];
    const length = place.size - lost;
    return [{ at: command.at, size: command.size, replace: (old) => withPackageLength(old, length) }];
  }

  private descriptionPatch({ at, size }: Place): Patch {
    const devices = new Set(this.dropped.map(({ device }) => keyOf(device)));
    return {
      at,
      size,
      replace: (old) =>
        rewritten(old, (text) => withoutDevices(text, (device) => devices.has(keyOf(device))).text),
    };
  }

  /** The pages of a mapped-ram file lie at offsets that its list of blocks names. */
  private refuseMove(at: number, what: string): void {
    if (!this.isMapped || at >= this.mappedEnd) return;
    throw new EditError(
      `${what} would move the pages of this mapped-ram file, which have to stay where its list of blocks says (up to ${hex(this.mappedEnd)})`,
    );
  }
}

/** `kvmclock`, `serial#1`, or a path. */
function sectionPattern(text: string): string {
  if (/^\.?sections[[.]/.test(text)) return text;
  const [, name = "", instance] = /^(.*?)(?:#(\d+))?$/.exec(text) ?? [];
  return `sections[${JSON.stringify(name)}${instance === undefined ? "" : `#${instance}`}]`;
}

function matches(pattern: Pattern, path: Path): boolean {
  let match = Match.start([pattern]);
  for (const step of path) {
    match = match.next(step);
    if (match.accepted.length > 0) return true;
  }
  return false;
}

function instanceOf(path: Path): number {
  const [, step] = path;
  return step?.kind === "name" ? step.number : 0;
}

function keyOf({ name, instanceId }: DescribedDevice): string {
  return `${instanceId} ${name}`;
}

function configurationHead(name: string): Uint8Array {
  return encodeQemuVmRecord({
    type: QemuVmSection.QEMU_VM_CONFIGURATION,
    head: { case: "configuration", value: { name } },
  });
}

/** An array whose elements are described one by one takes bytes as a whole, e.g. the registers of a device. */
function byteElements(
  targets: readonly Target[],
  { value, path }: Assignment,
): { readonly target: Target; readonly text: string }[] | undefined {
  if (targets.length < 2 || path.includes("*") || targets.some(({ node }) => node.size !== 1))
    return undefined;
  const bytes = bytesFrom(value, targets.length);
  return targets.map((target, i) => ({ target, text: String(bytes[i]) }));
}
