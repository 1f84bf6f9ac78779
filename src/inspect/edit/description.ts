/**
 * Changes a description: devices that are dropped, fields that have another size. The text around them stays as it is,
 * byte for byte: who compares the result with the original finds what was changed and nothing else.
 */
import { encodeQemuVmRecord, QemuVmSection, readQemuVmRecord } from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";
import { JsonObject, readJson } from "../../streams/qemu/json.js";

export interface DescribedDevice {
  readonly name: string;
  readonly instanceId: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);

/** The text without these devices, and how many entries went. The text has been read as a description before. */
export function withoutDevices(
  text: Uint8Array,
  isDropped: (device: DescribedDevice) => boolean,
): { readonly text: Uint8Array; readonly dropped: number } {
  const elements = elementsOf(text, "devices");
  const kept = elements.filter(({ from, to }) => {
    const device = deviceIn(text.subarray(from, to));
    return device === undefined || !isDropped(device);
  });
  const [first] = elements;
  const last = elements[elements.length - 1];
  if (first === undefined || last === undefined || kept.length === elements.length)
    return { text, dropped: 0 };
  const parts: Uint8Array[] = [text.subarray(0, first.from)];
  kept.forEach(({ from, to }, i) => {
    // What stands between two elements is kept with the second, so that the commas come out right.
    if (i > 0) parts.push(text.subarray(separatorBefore(text, from), from));
    parts.push(text.subarray(from, to));
  });
  parts.push(text.subarray(last.to));
  return { text: joined(parts), dropped: elements.length - kept.length };
}

/** The record of a description, with another text. */
export function rewritten(record: Uint8Array, change: (text: Uint8Array) => Uint8Array): Uint8Array {
  const reader = new Reader(record);
  readQemuVmRecord(reader);
  const text = change(record.subarray(reader.at));
  const head = encodeQemuVmRecord({
    type: QemuVmSection.QEMU_VM_VMDESCRIPTION,
    head: { case: "vmdescription", value: { size: text.length } },
  });
  return joined([head, text]);
}

/** The text with another size for one field of one device. As it is where it has no such field. */
export function withFieldSize(
  text: Uint8Array,
  { name, instanceId }: DescribedDevice,
  field: string,
  size: number,
): Uint8Array {
  const isDevice = ({ from, to }: Span) => {
    const device = deviceIn(text.subarray(from, to));
    return device?.name === name && device.instanceId === instanceId;
  };
  const device = elementsOf(text, "devices").find(isDevice);
  if (device === undefined) return text;
  for (const { from, to } of elementsOf(text.subarray(device.from, device.to), "fields")) {
    const span = text.subarray(device.from + from, device.from + to);
    const json = readJson(span);
    if (!("value" in json) || !(json.value instanceof JsonObject) || json.value.get("name") !== field)
      continue;
    const found = /"size"\s*:\s*(\d+)/.exec(latin1(span));
    if (found === null) return text;
    const [whole, digits = ""] = found;
    const end = device.from + from + found.index + whole.length;
    const number = Uint8Array.from(String(size), (digit) => digit.charCodeAt(0));
    return joined([text.subarray(0, end - digits.length), number, text.subarray(end)]);
  }
  return text;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function deviceIn(text: Uint8Array): DescribedDevice | undefined {
  const json = readJson(text);
  if (!("value" in json) || !(json.value instanceof JsonObject)) return undefined;
  const name = json.value.get("name");
  const instanceId = json.value.get("instance_id");
  return typeof name === "string" && typeof instanceId === "number" ? { name, instanceId } : undefined;
}

/** Where the elements of a list stand that is a member of the outermost object. */
function elementsOf(text: Uint8Array, key: string): Span[] {
  const spans: Span[] = [];
  let depth = 0;
  let word = "";
  let inside = false;
  let from: number | undefined;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    if (byte === QUOTE) {
      const end = stringEnd(text, at);
      if (depth === 1) word = latin1(text.subarray(at + 1, end));
      at = end;
    } else if (OPEN.has(byte)) {
      depth++;
      if (depth === 2 && word === key) inside = true;
      if (depth === 3 && inside) from = at;
    } else if (CLOSE.has(byte)) {
      depth--;
      if (depth === 2 && inside && from !== undefined) spans.push({ from, to: at + 1 });
      if (depth === 1) inside = false;
    }
  }
  return spans;
}

function stringEnd(text: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}

function separatorBefore(text: Uint8Array, at: number): number {
  let comma = at - 1;
  while (comma > 0 && text[comma] !== COMMA) comma--;
  return comma;
}

function latin1(bytes: Uint8Array): string {
  return [...bytes].map((byte) => String.fromCharCode(byte)).join("");
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
