/** The virtio devices whose saved state is known. */
import { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "./device.js";
import { BALLOON } from "./devices/balloon.js";

/** A device that saves nothing of its own. */
function plain(section: string, id: VirtioDeviceId): VirtioDevice {
  return { sections: [section], id, own: undefined };
}

const DEVICES: readonly VirtioDevice[] = [BALLOON, plain("virtio-rng", VirtioDeviceId.VIRTIO_ID_RNG)];

const BY_SECTION: ReadonlyMap<string, VirtioDevice> = new Map(
  DEVICES.flatMap((device) => device.sections.map((section) => [section, device] as const)),
);

/** `idstr`: the name of a section, e.g. `0000:00:02.0/virtio-net`. */
export function virtioDeviceOf(idstr: string): VirtioDevice | undefined {
  return BY_SECTION.get(idstr.slice(idstr.lastIndexOf("/") + 1));
}
