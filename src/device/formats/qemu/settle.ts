/**
 * Where virtqueues stand when a device goes on in QEMU, and which of its buffers QEMU takes over. What a format does not
 * say, guest memory may; and buffers that QEMU has no place for are taken again where they can be.
 */
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { GuestBytes } from "../../../streams/virtqueues/memory.js";
import type { DeviceState, OwnedBuffer, QueueStanding, QueueState } from "../../member/device-state.js";
import type { Assumption } from "../loss.js";
import { SplitRings } from "../split-rings.js";
import { isPacked } from "../state-fields.js";
import { holdsRequests, misreadsRequests, readInFlight } from "./in-flight.js";

export interface Settled {
  readonly queues: readonly QueueState[];
  readonly assumed: Assumption[];
}

/** What QEMU does with buffers in flight of such a device. */
interface Device {
  readonly holds: boolean;
  readonly misreads: boolean;
  readonly isScsi: boolean;
}

/** `before`: what the section that is written into says. */
export function settleQueues(
  saved: VirtioState,
  before: DeviceState,
  state: DeviceState,
  memory: GuestBytes | undefined,
): Settled {
  const assumed: Assumption[] = [];
  const isMapped = (state.driverFeatures & VirtioFeature.VIRTIO_F_ACCESS_PLATFORM) !== 0n;
  const inFlight = readInFlight(saved);
  const device: Device = {
    holds: holdsRequests(saved),
    misreads: misreadsRequests(saved),
    isScsi: state.deviceType === VirtioDeviceId.VIRTIO_ID_SCSI,
  };
  const queues = state.queues.map((queue, index): QueueState => {
    if (!queue.enabled) return queue;
    const old = before.queues[index];
    const note = (name: string, value: string, reason: string) => {
      assumed.push({ path: `queues[${index}].${name}`, value, reason });
    };
    if (isPacked(state)) return packedQueue(device, queue, old, note);
    // What is not said of the guest's order, the section knows.
    const isLittle = (state.isBigEndian ?? before.isBigEndian) !== true;
    const rings = memory === undefined || isMapped ? undefined : new SplitRings(memory, queue, isLittle);
    return splitQueue(device, queue, old, inFlight.get(index) ?? [], rings, note);
  });
  return { queues, assumed };
}

type Note = (name: string, value: string, reason: string) => void;

const MISREAD =
  "QEMU 4.2 to 10.0 reads requests of a device that offers packed virtqueues wrongly: it may refuse the stream";

function packedQueue(device: Device, queue: QueueState, old: QueueState | undefined, note: Note): QueueState {
  if (queue.owned.length > 0 && device.holds) note("owned", idsOf(queue.owned), MISREAD);
  const { available, used } = queue.standing ?? {};
  if (available !== undefined && used !== undefined) return queue;
  const kept = old?.standing;
  if (kept?.available !== undefined && kept.used !== undefined) {
    note("last_avail_idx", String(kept.available), "the format has no place for it: kept from the section");
    return { ...queue, standing: kept };
  }
  note(
    "last_avail_idx",
    "0",
    "the format has no place for it, and the section has none: the start of the ring",
  );
  return { ...queue, standing: { available: 0, used: 0, availableWrap: true, usedWrap: true } };
}

function splitQueue(
  device: Device,
  queue: QueueState,
  old: QueueState | undefined,
  saved: readonly OwnedBuffer[],
  rings: SplitRings | undefined,
  note: Note,
): QueueState {
  const { owned } = queue;
  const isSilent = queue.standing?.available === undefined;
  if (isSilent && device.isScsi && old?.standing !== undefined) {
    const reason =
      "requests of a SCSI controller are in the sections of its disks, which stay: kept from the section";
    note("last_avail_idx", String(old.standing.available), reason);
    return { ...queue, standing: old.standing, owned: [] };
  }
  const used = rings?.usedIndex() ?? queue.standing?.used;
  const available = queue.standing?.available ?? used ?? old?.standing?.available ?? 0;
  if (isSilent) {
    const from =
      used === undefined
        ? "guest memory cannot be read: kept from the section"
        : "taken to be the used index in guest memory, so that what was in flight is taken again";
    note("last_avail_idx", String(available), `the format has no place for it: ${from}`);
  }
  const standing: QueueStanding = { available, used, availableWrap: true, usedWrap: true };
  const inUse = used === undefined ? owned.length : (available - used) & 0xffff;
  if (inUse !== owned.length) {
    const reason = `by guest memory ${inUse} buffers are with the device, by its state ${owned.length}: are both of one moment?`;
    note("used_idx", String(used), reason);
  }
  return { ...queue, ...takenOver(device, { ...queue, standing }, old?.owned ?? [], saved, rings, note) };
}

/** Which buffers go into the section, or back into the ring. */
function takenOver(
  { holds, misreads }: Device,
  queue: QueueState & { readonly standing: QueueStanding },
  kept: readonly OwnedBuffer[],
  saved: readonly OwnedBuffer[],
  rings: SplitRings | undefined,
  note: Note,
): Pick<QueueState, "standing" | "owned"> {
  const { owned, standing } = queue;
  const { available = 0, used } = standing;
  if (owned.length === 0) return { standing, owned };
  if (idsOf(owned) === idsOf(saved)) return { standing, owned: saved };
  // Where QEMU knows them from another section, or takes them for its own because of where the device stands.
  if (!holds && idsOf(owned) === idsOf(kept)) return { standing, owned: [] };
  const known = owned.map(({ id, parts }): OwnedBuffer => ({ id, parts: parts ?? rings?.parts(id) }));
  const isWhole = holds && known.every(({ parts }) => parts !== undefined);
  if (isWhole && !misreads) return { standing, owned: known };
  if (used === undefined || !isRetakable(queue, rings, used, available)) {
    if (isWhole) note("owned", idsOf(owned), MISREAD);
    return { standing, owned: known };
  }
  const reason = `moved back from ${available}: QEMU takes the buffers again that the device had taken (${idsOf(owned)})`;
  note("last_avail_idx", String(used), reason);
  return { standing: { ...standing, available: used }, owned: [] };
}

/** Whether what the device owns is what a device finds that starts at the used index again. */
function isRetakable(
  { owned, standing }: QueueState,
  rings: SplitRings | undefined,
  used: number,
  available: number,
): boolean {
  const heads = rings?.heads(used, available);
  if (heads === undefined) return standing?.isRetakable === true;
  const ids = new Set(owned.map(({ id }) => id));
  return heads.length === ids.size && heads.every((head) => ids.has(head));
}

function idsOf(owned: readonly OwnedBuffer[]): string {
  return owned.map(({ id }) => id).join(", ");
}
