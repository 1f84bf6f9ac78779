/**
 * The self-description that QEMU appends to a stream (VMDESCRIPTION): which fields each device wrote, in order, with
 * their sizes. It comes from the file, so it is an untrusted hint: sizes are checked, and never allocated for.
 */
import { sizeofQemuVmSubsection } from "../../../generated/qemu/stream.js";
import { JsonObject, type JsonProblem, type JsonValue, readJson } from "./json.js";

/** What one vmstate wrote. */
export interface StateDescription {
  readonly name: string;
  /** Undefined for a handler that has no vmstate: its state is one field of bytes. */
  readonly version: number | undefined;
  readonly fields: readonly FieldDescription[];
  readonly subsections: readonly StateDescription[];
}

export interface FieldDescription {
  readonly name: string;
  /** The name of the encoding, e.g. `uint32`, `struct`, `qtailq`. Open: devices bring their own. */
  readonly type: string;
  /** Bytes of one element. */
  readonly size: number;
  /** How many elements of this size and type follow one another. */
  readonly count: number;
  /**
   * Part of an array whose elements are described one by one. QEMU 10.0.2 leaves the index out on the last element, so
   * elements are numbered by their order, not by what the description says.
   */
  readonly indexed: boolean;
  /**
   * The description does not tell how many bytes it takes: an array of pointers of which the first is NULL. Before 10.0
   * QEMU described that element alone.
   */
  readonly unsized: boolean;
  /** For `struct`: what is inside. */
  readonly struct: StateDescription | undefined;
  /**
   * The states that the field wrote without nesting them: one for each element of a list or tree, one for `tmp` and
   * `vstruct`.
   */
  readonly elements: readonly StateDescription[];
}

export interface DeviceDescription {
  /** The idstr of its section. */
  readonly name: string;
  readonly instanceId: number;
  readonly state: StateDescription;
}

export interface Description {
  /** Size of a target page in bytes. */
  readonly pageSize: number;
  readonly configuration: StateDescription | undefined;
  readonly devices: readonly DeviceDescription[];
}

export type DescriptionResult =
  | { readonly description: Description; readonly problem: undefined }
  | { readonly description: undefined; readonly problem: JsonProblem };

/** Sizes beyond this are refused: no field of a device comes near it. */
const MAX_FIELD_SIZE = 0x7fff_ffff;

export function readDescription(text: Uint8Array): DescriptionResult {
  const json = readJson(text);
  if ("problem" in json) return { description: undefined, problem: json.problem };
  try {
    return { description: describe(json.value), problem: undefined };
  } catch (error) {
    if (error instanceof Misshapen)
      return { description: undefined, problem: { at: 0, detail: error.message } };
    throw error;
  }
}

/** Never leaves this file: JSON, but not a description. */
class Misshapen extends Error {}

function describe(value: JsonValue): Description {
  const top = object(value, "the description");
  const configuration = top.get("configuration");
  return {
    pageSize: integer(top.get("page_size"), "page_size"),
    configuration:
      configuration === undefined
        ? undefined
        : state(object(configuration, "configuration"), "configuration"),
    devices: list(top.get("devices"), "devices").map((item, index) => {
      const device = object(item, `devices[${index}]`);
      const name = text(device.get("name"), `devices[${index}].name`);
      return {
        name,
        instanceId: integer(device.get("instance_id"), `${name}.instance_id`),
        state: state(device, name, name),
      };
    }),
  };
}

function state(from: JsonObject, path: string, fallback?: string): StateDescription {
  const [first] = states(from, path, fallback);
  if (first === undefined) throw new Misshapen(`${path} has no vmsd_name`);
  return first;
}

/**
 * The states that an object holds side by side: each begins with a `vmsd_name`. `fallback` names one that has none, as
 * handlers do that write their state without a vmstate.
 */
function states(from: JsonObject, path: string, fallback?: string): StateDescription[] {
  const found: StateDescription[] = [];
  let name = fallback;
  let named = false;
  let version: number | undefined;
  let fields: FieldDescription[] = [];
  let subsections: StateDescription[] = [];
  for (const [key, value] of from.members) {
    if (key === "vmsd_name") {
      if (named && name !== undefined) found.push({ name, version, fields, subsections });
      name = text(value, `${path}.vmsd_name`);
      named = true;
      version = undefined;
      fields = [];
      subsections = [];
    } else if (key === "version") {
      version = integer(value, `${path}.version`);
    } else if (key === "fields") {
      fields = list(value, `${path}.fields`).map((item, index) => field(item, `${path}.fields[${index}]`));
    } else if (key === "subsections") {
      subsections = list(value, `${path}.subsections`).map((item, index) =>
        state(object(item, `${path}.subsections[${index}]`), `${path}.subsections[${index}]`),
      );
    }
  }
  if (name !== undefined) found.push({ name, version, fields, subsections });
  return found;
}

function field(value: JsonValue, path: string): FieldDescription {
  const from = object(value, path);
  const name = text(from.get("name"), `${path}.name`);
  const inner = from.get("struct");
  const length = from.get("array_len");
  return {
    name,
    type: text(from.get("type"), `${path}.type`),
    size: integer(from.get("size"), `${path}.size`, MAX_FIELD_SIZE),
    count: length === undefined ? 1 : integer(length, `${path}.array_len`, MAX_FIELD_SIZE),
    indexed: from.get("index") !== undefined,
    // A struct without members of its own (no `vmsd_name`) does not happen in QEMU; it is taken for an opaque field.
    unsized: length !== undefined && inner instanceof JsonObject && inner.members.length === 0,
    struct: inner instanceof JsonObject ? states(inner, `${path}.struct`)[0] : undefined,
    elements: states(from, path),
  };
}

function object(value: JsonValue | undefined, path: string): JsonObject {
  if (value instanceof JsonObject) return value;
  throw new Misshapen(`${path} is not an object`);
}

function list(value: JsonValue | undefined, path: string): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  throw new Misshapen(`${path} is not a list`);
}

function text(value: JsonValue | undefined, path: string): string {
  if (typeof value === "string") return value;
  throw new Misshapen(`${path} is not text`);
}

function integer(value: JsonValue | undefined, path: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new Misshapen(`${path} is not a number from 0 to ${max}`);
}

/** The states of its devices, by `deviceKey`. */
export function deviceStates({ devices }: Description): Map<string, StateDescription> {
  return new Map(devices.map(({ name, instanceId, state }) => [deviceKey(name, instanceId), state]));
}

export function deviceKey(name: string, instanceId: number): string {
  return `${instanceId} ${name}`;
}

/** Bytes that the state takes in the stream, according to its description. Undefined when it does not tell. */
export function describedSize(of: StateDescription): number | undefined {
  if (of.fields.some(({ unsized }) => unsized)) return undefined;
  return fieldsSize(of.fields) + subsectionsSize(of.subsections);
}

/** Of those whose size the description tells. */
export function fieldsSize(fields: readonly FieldDescription[]): number {
  return fields.reduce((sum, { size, count, unsized }) => sum + (unsized ? 0 : size * count), 0);
}

export function subsectionsSize(subsections: readonly StateDescription[]): number {
  return subsections.reduce((sum, sub) => {
    const head = sizeofQemuVmSubsection({ name: { text: sub.name }, versionId: 0 });
    return sum + head + fieldsSize(sub.fields) + subsectionsSize(sub.subsections);
  }, 0);
}
