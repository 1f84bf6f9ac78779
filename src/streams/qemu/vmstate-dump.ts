/**
 * What `qemu-system-… -dump-vmstate FILE` writes: which states each type of device could save, and the size of their
 * fields in QEMU's memory. It says neither which conditions hold, nor how values are encoded, nor how long lists are.
 * @source QEMU 10.0.2, migration/savevm.c, dump_vmstate_json_to_file
 */
import { JsonObject, type JsonValue, readJson } from "./json.js";

export interface DumpedState {
  readonly name: string;
  readonly version: number;
  readonly fields: readonly DumpedField[];
  readonly subsections: readonly DumpedState[];
}

export interface DumpedField {
  readonly name: string;
  /** The first version of the state that has it. */
  readonly since: number;
  /** QEMU asks a function whether it is written. */
  readonly conditional: boolean;
  /** Of one element, in QEMU's memory: of a struct, that is not what it takes in the stream. */
  readonly size: number;
  /** Of an array whose length is fixed. */
  readonly count: number | undefined;
  readonly struct: DumpedState | undefined;
}

export interface VmstateDump {
  readonly machine: string;
  /** Every state that bears a name: several types of devices can save theirs under the same. */
  readonly states: ReadonlyMap<string, readonly DumpedState[]>;
}

/** Its first member, by which QEMU's own checker knows it as well. */
const MACHINE = "vmschkmachine";

/** Undefined when the text is no such dump. */
export function readVmstateDump(text: Uint8Array): VmstateDump | undefined {
  const json = readJson(text);
  if ("problem" in json || !(json.value instanceof JsonObject)) return undefined;
  const states = new Map<string, DumpedState[]>();
  let machine: string | undefined;
  for (const [key, value] of json.value.members) {
    if (!(value instanceof JsonObject)) return undefined;
    if (key === MACHINE) {
      machine = textOf(value.get("Name"));
      continue;
    }
    const state = stateOf(value.get("Description"));
    if (state === undefined) continue;
    const others = states.get(state.name);
    if (others === undefined) states.set(state.name, [state]);
    else others.push(state);
  }
  return machine === undefined ? undefined : { machine, states };
}

function stateOf(value: JsonValue | undefined): DumpedState | undefined {
  if (!(value instanceof JsonObject)) return undefined;
  const name = textOf(value.get("name"));
  const version = numberOf(value.get("version_id"));
  if (name === undefined || version === undefined) return undefined;
  const fields = listOf(value.get("Fields"), fieldOf);
  const subsections = listOf(value.get("Subsections"), stateOf);
  return fields && subsections && { name, version, fields, subsections };
}

function fieldOf(value: JsonValue): DumpedField | undefined {
  if (!(value instanceof JsonObject)) return undefined;
  const name = textOf(value.get("field"));
  const size = numberOf(value.get("size"));
  if (name === undefined || size === undefined) return undefined;
  const inner = value.get("Description");
  const struct = stateOf(inner);
  if (inner !== undefined && struct === undefined) return undefined;
  return {
    name,
    since: numberOf(value.get("version_id")) ?? 0,
    conditional: value.get("field_exists") === true,
    size,
    count: numberOf(value.get("num")),
    struct,
  };
}

/** Undefined when one of them is no item. A list that is left out is empty. */
function listOf<T>(
  value: JsonValue | undefined,
  itemOf: (item: JsonValue) => T | undefined,
): T[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const items: T[] = [];
  for (const one of value) {
    const item = itemOf(one);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
