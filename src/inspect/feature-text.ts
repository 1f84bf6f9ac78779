/** Writes a comparison of features, for people and for programs. */
import { VirtioDeviceId, virtioDeviceIdName } from "../../generated/virtio/ids.js";
import { DEVICES } from "./device-names.js";
import type { Feature, FeatureComparison, FeatureSpace } from "./feature-masks.js";
import { sectionOf } from "./flags.js";
import { hex } from "./report.js";

/** A line of the listing is no wider than this. */
const WIDTH = 100;

export function featureLines(comparison: FeatureComparison): string[] {
  const { first, second, space, features } = comparison;
  const lines = [...heading(comparison), ""];
  if (second === undefined)
    return [...lines, ...(features.length === 0 ? ["no feature"] : listing("", features, space))];
  const onlyFirst = features.filter(({ inSecond }) => !inSecond);
  const onlySecond = features.filter(({ inFirst }) => !inFirst);
  const both = features.filter(({ inFirst, inSecond }) => inFirst && inSecond);
  if (onlyFirst.length + onlySecond.length === 0)
    return [...lines, "the same features", "", ...listing("", both, space)];
  for (const [which, mask, some] of [
    ["first", first & ~second, onlyFirst],
    ["second", second & ~first, onlySecond],
  ] as const) {
    lines.push(some.length === 0 ? `only in the ${which}: none` : `only in the ${which} (${hex(mask)}):`);
    lines.push(...listing("  ", some, space), "");
  }
  lines.push(`in both (${hex(first & second)}): ${both.map(shortly).join(", ") || "none"}`);
  return lines.flatMap((line) => (line.startsWith("in both") ? folded(line) : [line]));
}

export function featureJson(comparison: FeatureComparison): string {
  const { first, second, space, guessed, features } = comparison;
  return `${JSON.stringify({
    first: hex(first),
    ...(second === undefined ? {} : { second: hex(second) }),
    ...(space === "vhost-user protocol"
      ? { protocol: true }
      : { device: virtioDeviceIdName(space.device) ?? space.device, guessed }),
    features: features.map(({ bit, names, range, inFirst, inSecond }) => ({
      bit,
      ...(second === undefined ? {} : { first: inFirst, second: inSecond }),
      names: names.map(({ name, device, doc, source }) => ({
        name,
        ...(device === undefined ? {} : { device: virtioDeviceIdName(device) }),
        doc,
        source,
      })),
      ...(names.length === 0 ? { range } : {}),
    })),
  })}\n`;
}

function heading({ first, second, space, guessed, features }: FeatureComparison): string[] {
  const masks =
    second === undefined
      ? [`features  ${hex(first)}`]
      : [`first     ${hex(first)}`, `second    ${hex(second)}`];
  if (space === "vhost-user protocol") return [...masks, "of        the vhost-user protocol"];
  if (space.device !== VirtioDeviceId.VIRTIO_ID_INVALID) {
    const why = guessed ? ": no other has all these bits (--device says which it is)" : "";
    return [...masks, `device    ${deviceName(space.device)}${why}`];
  }
  const open = features.some(({ names }) => names.length > 1);
  return open
    ? [...masks, "device    unknown: bits are named for each that has them (--device says which)"]
    : masks;
}

function listing(indent: string, features: readonly Feature[], space: FeatureSpace): string[] {
  const rows = features.flatMap((feature) => rowsOf(feature, space));
  const names = Math.max(0, ...rows.map(({ name }) => name.length));
  const sources = Math.max(0, ...rows.map(({ source }) => source.length));
  return rows.map(({ bit, name, source, doc }) => {
    const text =
      `${indent}${bit.padStart(3)}  ${name.padEnd(names)}  ${source.padEnd(sources)}  ${doc}`.trimEnd();
    return text.length <= WIDTH ? text : `${text.slice(0, WIDTH - 1).trimEnd()}…`;
  });
}

interface Row {
  readonly bit: string;
  readonly name: string;
  readonly source: string;
  readonly doc: string;
}

function rowsOf({ bit, names, range }: Feature, space: FeatureSpace): Row[] {
  if (names.length === 0) return [{ bit: String(bit), name: `bit ${bit}`, source: range, doc: "" }];
  return names.map(({ name, source, doc }, i) => ({
    bit: i === 0 ? String(bit) : "",
    name,
    // Where the heading says whose protocol it is, the width is for what the features mean.
    source:
      space === "vhost-user protocol"
        ? sectionOf(source).replace(/^vhost-user\.rst, /, "")
        : sectionOf(source),
    doc: doc ?? "",
  }));
}

/** `VIRTIO_F_RING_RESET`; `bit 1` where the name depends on the device. */
function shortly({ bit, names }: Feature): string {
  const [only] = names;
  return only !== undefined && names.length === 1 ? only.name : `bit ${bit}`;
}

function deviceName(device: VirtioDeviceId): string {
  for (const [name, id] of DEVICES) if (id === device) return name;
  return String(device);
}

function folded(line: string): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const last = lines[lines.length - 1];
    if (last === undefined || last.length + word.length + 1 > WIDTH)
      lines.push(last === undefined ? word : `  ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
