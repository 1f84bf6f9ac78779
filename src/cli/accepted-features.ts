/** The features that the guest's driver has accepted, out of the section of a virtio device. */
import type { VirtioDeviceId } from "../../generated/virtio/ids.js";
import type { Leaf } from "../inspect/leaves.js";
import { printPath } from "../inspect/path.js";
import { PathError } from "../inspect/pattern.js";
import { Query } from "../inspect/query.js";
import { virtioDeviceOf } from "../streams/qemu/virtio/devices.js";
import { blame, readCapture } from "./capture.js";
import { openInput } from "./input.js";
import { type Io, UsageError } from "./io.js";
import { asUsage } from "./refusal.js";

export interface AcceptedFeatures {
  readonly device: VirtioDeviceId;
  readonly mask: bigint;
  /** Something is wrong with the stream, and has been said. */
  readonly damaged: boolean;
}

type Found = Map<string, Pick<AcceptedFeatures, "device" | "mask">>;

/** The fields that hold them, and the bit that their first word begins with. */
const FIELDS: ReadonlyMap<string, bigint> = new Map([
  ["guest_features_lo", 0n],
  ["guest_features", 0n],
  ["guest_features_hi", 64n],
]);
const WORD = 32n;

/** `path` names one section. Undefined: nothing can be read, and that has been said. Throws `UsageError` when that is no virtio device, or several. */
export async function acceptedFeatures(
  file: string,
  path: string,
  snapshot: string | undefined,
  io: Io,
): Promise<AcceptedFeatures | undefined> {
  const found: Found = new Map();
  let damaged: boolean;
  const query = asUsage([PathError], () => new Query([path], (leaf) => take(leaf, found)));
  const input = openInput(file, io, { snapshot });
  try {
    const options = { as: undefined, device: undefined, withFields: true, lendsFields: true };
    const summary = await readCapture(input, options, () => query, io);
    if (summary === undefined) return undefined;
    blame(input, summary, io);
    damaged = summary.faultCount > 0;
  } finally {
    input.close();
  }
  const [only, ...others] = [...found];
  if (only === undefined) {
    throw new UsageError(query.found > 0 ? `no features of a virtio device are at ${path}` : query.miss);
  }
  if (others.length > 0) {
    const names = [...found.keys()].join(", ");
    throw new UsageError(`${path} names ${found.size} devices, and one is shown: ${names}`);
  }
  return { ...only[1], damaged };
}

function take({ path, value, node }: Leaf, found: Found): void {
  const first = node === undefined ? undefined : FIELDS.get(node.name);
  const section = path[1];
  if (first === undefined || section?.kind !== "name" || !isNumber(value)) return;
  const device = virtioDeviceOf(section.name);
  if (device === undefined) return;
  const shift = first + WORD * BigInt(Math.max(0, node?.index ?? 0));
  const key = printPath(path.slice(0, 2));
  // The transport's copy and that of the device say the same; the first word alone is in an older form, too.
  const mask = (found.get(key)?.mask ?? 0n) | (BigInt(value) << shift);
  found.set(key, { device: device.id, mask });
}

function isNumber(value: Leaf["value"]): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
