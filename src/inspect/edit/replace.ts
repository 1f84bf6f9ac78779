/**
 * Another state in the place of what a virtio device's section holds: the rest of the stream stays as it is, and what says
 * how long something is follows.
 */
import type { FoundDevice, StreamPackage, StreamPlace } from "../../streams/qemu/virtio/find.js";
import { rewritten, withFieldSize } from "./description.js";
import { withPackageLength } from "./package.js";
import { ordered, type Patch } from "./patch.js";
import { EditError } from "./plan.js";

/** What the stream around a device says of lengths. */
export interface StreamAround {
  readonly packages: readonly StreamPackage[];
  /** The record with the description. */
  readonly description: StreamPlace | undefined;
  /** Pages lie at places that the stream names, up to here. */
  readonly mappedEnd: number;
}

/** What VMStateInfo calls the field that a virtio device's state is in. */
const FIELD = "virtio";

/** @throws EditError when nothing there may move. */
export function replaceDevice(
  { section, instanceId, place }: FoundDevice,
  state: Uint8Array,
  { packages, description, mappedEnd }: StreamAround,
): readonly Patch[] {
  const patches: Patch[] = [{ ...place, replace: () => state }];
  const growth = state.length - place.size;
  if (growth === 0) return patches;
  if (place.at < mappedEnd) {
    throw new EditError(`${section.name} stands in front of pages that must stay where they are`);
  }
  for (const { command, place: inside } of packages) {
    if (place.at < inside.at || place.at >= inside.at + inside.size) continue;
    patches.push({ ...command, replace: (old) => withPackageLength(old, inside.size + growth) });
  }
  if (description !== undefined) {
    const device = { name: section.name, instanceId };
    const change = (text: Uint8Array) => withFieldSize(text, device, FIELD, state.length);
    patches.push({ ...description, replace: (old) => rewritten(old, change) });
  }
  return ordered(patches);
}
