/** The virtio devices of real captures: their field `virtio`, as the description bounds it or, without one, their section. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  type Description,
  findDescription,
  QemuStreamParser,
  type VirtioSection,
  virtioDeviceOf,
} from "../../../../src/streams/index.js";

export interface Saved {
  readonly section: VirtioSection;
  readonly instanceId: number;
  /** From the start of the capture. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

export function savedDevices(path: string): Saved[] {
  const packed = readFileSync(path);
  const file = new Uint8Array(path.endsWith(".gz") ? gunzipSync(packed) : packed);
  const description = findDescription(file);
  const found: Saved[] = [];
  let machine: string | undefined;
  const parser = new QemuStreamParser(
    (event) => {
      if (event.kind === "configuration") machine = event.machine;
      if (event.kind !== "section" || event.phase !== "full" || event.body === undefined) return;
      const { name, instanceId, versionId, bodyAt, body } = event;
      const size = sizeOf(description, name, instanceId, body.length);
      if (size === undefined) return;
      const bytes = body.slice(0, size);
      found.push({ section: { name, versionId, machine }, instanceId, at: bodyAt, bytes });
    },
    { description },
  );
  parser.push(file);
  parser.end();
  return found;
}

/** Without a description, only devices whose whole section is the field can be told from others. */
function sizeOf(
  description: Description | undefined,
  name: string,
  instanceId: number,
  size: number,
): number | undefined {
  if (description === undefined) {
    const device = virtioDeviceOf(name);
    return device === undefined || device.behind !== undefined || device.subsections !== undefined
      ? undefined
      : size;
  }
  const device = description.devices.find((one) => one.name === name && one.instanceId === instanceId);
  const [first] = device?.state.fields ?? [];
  return first?.type === "virtio" ? first.size : undefined;
}
