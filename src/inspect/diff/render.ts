/** Writes differences: for people, one or a few lines each; for programs, one object a line. */
import { sectionOf } from "../flags.js";
import { leafText } from "../json.js";
import type { Leaf } from "../leaves.js";
import { printPath } from "../path.js";
import { hex, printable } from "../report.js";
import { digitsOf, valueText } from "../values.js";
import type { Difference, Part } from "./compare.js";

/** A line that would be longer has its values below it. */
const WIDTH = 100;
/** Names in a meaning are put together with this. */
const JOINT = " | ";

/** Names of flags that one value has and the other has not. Undefined when the values are no sets of flags. */
function flagsBetween(first: Leaf, second: Leaf): { gone: string[]; come: string[] } | undefined {
  const before = first.node?.meaning?.split(JOINT) ?? [];
  const after = second.node?.meaning?.split(JOINT) ?? [];
  if (before.length < 2 && after.length < 2) return undefined;
  return {
    gone: before.filter((name) => !after.includes(name)),
    come: after.filter((name) => !before.includes(name)),
  };
}

/** `VIRTIO_F_VERSION_1  (virtio 1.4, 6)` */
function named(name: string, { node }: Leaf): string {
  const flag = node?.flags?.tables.flat().find((one) => one.name === name);
  return flag?.source === undefined ? name : `${name}  (${sectionOf(flag.source)})`;
}

export function differenceText(difference: Difference): string {
  if (difference.kind !== "changed")
    return partText(difference.kind === "only-first" ? "-" : "+", difference.part);
  const { first, second } = difference;
  const path = `~ ${printPath(first.path)}`;
  const moved = printPath(second.path);
  const places = placesOf(first, second);
  const head = printPath(first.path) === moved ? path : `${path} (there ${moved})`;
  const flags = flagsBetween(first, second);
  if (flags !== undefined) {
    return [
      `${head}: ${numberOf(first)} -> ${numberOf(second)}${places}`,
      ...flags.gone.map((name) => `    - ${named(name, first)}`),
      ...flags.come.map((name) => `    + ${named(name, second)}`),
    ].join("\n");
  }
  if (first.value instanceof Uint8Array && second.value instanceof Uint8Array)
    return `${head}: ${bytesText(first.value, second.value)}${places}`;
  const [from, to] =
    first.node?.type === second.node?.type ? [said(first), said(second)] : [typed(first), typed(second)];
  const line = `${head}: ${from} -> ${to}${places}`;
  return line.length <= WIDTH ? line : `${head}:${places}\n    - ${from}\n    + ${to}`;
}

export function differenceJson(difference: Difference): string {
  if (difference.kind !== "changed") {
    const { path, name, values, leaf, at, size } = difference.part;
    return JSON.stringify({
      change: difference.kind,
      path: printPath(path),
      name,
      values,
      ...(at === undefined ? {} : { _offset: at, _size: size }),
    }).replace(/\}$/, leaf === undefined ? "}" : `,"value":${leafText(leaf)}}`);
  }
  const { first, second } = difference;
  const head = JSON.stringify({
    change: "changed",
    path: printPath(first.path),
    ...(flagsBetween(first, second) ?? {}),
  });
  return `${head.slice(0, -1)},"first":${leafText(first)},"second":${leafText(second)}}`;
}

/** Bytes that a long string shows from its first difference on. */
const SHOWN = 8;

/** `3 of 256 bytes, from +0x9a on: 03 00 -> 06 00 …` */
function bytesText(first: Uint8Array, second: Uint8Array): string {
  const size = Math.max(first.length, second.length);
  let from = size;
  let end = 0;
  let count = 0;
  for (let i = 0; i < size; i++) {
    if (first[i] === second[i]) continue;
    from = Math.min(from, i);
    end = i + 1;
    count++;
  }
  const sizes = first.length === second.length ? "" : `${first.length} -> ${second.length} bytes; `;
  const shown = Math.min(end, from + SHOWN);
  const part = (bytes: Uint8Array): string => digitsOf(bytes.subarray(from, shown), SHOWN) || "nothing";
  const more = end > shown ? " …" : "";
  return `${sizes}${count} of ${size} bytes, from +${hex(from)} on: ${part(first)}${more} -> ${part(second)}${more}`;
}

function partText(sign: string, { path, name, values, leaf, at, size }: Part): string {
  const place = at === undefined ? "" : `  @${hex(at)}`;
  if (leaf !== undefined) return `${sign} ${printPath(path)}: ${said(leaf)}${place}`;
  const bytes = size === undefined ? "" : `, ${size} ${size === 1 ? "byte" : "bytes"}`;
  const called = name === undefined ? "" : ` ${printable(name)}`;
  return `${sign} ${printPath(path)}${called}: ${values} ${values === 1 ? "value" : "values"}${bytes}${place}`;
}

function said({ value, node, size }: Leaf): string {
  return value === undefined ? `${size ?? 0} bytes` : valueText(value, node?.meaning, node?.unit);
}

function typed(leaf: Leaf): string {
  return leaf.node === undefined ? said(leaf) : `${leaf.node.type} ${said(leaf)}`;
}

function numberOf({ value }: Leaf): string {
  return typeof value === "number" || typeof value === "bigint" ? hex(value) : String(value);
}

/** Where the values stand in their files. */
function placesOf(first: Leaf, second: Leaf): string {
  if (first.at === undefined || second.at === undefined) return "";
  return first.at === second.at ? `  @${hex(first.at)}` : `  @${hex(first.at)} @${hex(second.at)}`;
}
