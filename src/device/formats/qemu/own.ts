/**
 * What QEMU saves of a device and no other format has: the function on the bus, which others migrate, and what the model of
 * the device keeps to itself. A value that a device has after a reset is nothing to lose.
 */
import type { QemuVirtioNet } from "../../../../generated/qemu/virtio/net.js";
import type { SavedFields, SavedPart, SavedTransport } from "../../../streams/qemu/virtio/state.js";
import type { Loss } from "../loss.js";
import { NET_OFFLOADS } from "./net.js";
import type { QemuReading } from "./read.js";

const FUNCTION = "it belongs to the function on the bus, which is migrated beside the device";
const BACK_END = "it says what the source's back-end can do: the destination has its own";
const OWN = "QEMU's model of the device keeps it to itself: the destination has it as after a reset";

/** What other modules read, and what follows from what they read. */
const CARRIED: ReadonlySet<string> = new Set([
  "qemu_virtio_blk",
  "qemu_virtio_balloon",
  "qemu_virtio_64bit_features",
  "qemu_virtio_128bit_features",
  "qemu_virtio_virtqueues",
  "qemu_virtio_ringsize",
  "qemu_virtio_packed_virtqueues",
  "qemu_virtio_pci_modern_state",
  "qemu_virtio_pci_modern_state_features128",
  "qemu_virtio_mmio_state",
  "qemu_virtio_device_endian_state",
  "qemu_virtio_started",
]);

/** `behind`: how many bytes the section has behind the field `virtio`. */
export function ownLosses({ saved, state }: QemuReading, behind = 0): Loss[] {
  const { driverFeatures } = state;
  const losses = [
    ...transportLosses(saved.transport),
    ...saved.parts.flatMap((part) => partLosses(part, "device", driverFeatures)),
  ];
  if (behind > 0) losses.push(lost("behind virtio", `${behind} bytes`, OWN));
  return losses;
}

function transportLosses(transport: SavedTransport): Loss[] {
  switch (transport.kind) {
    case "pci": {
      const { device, msixTable = [] } = transport.value;
      const set = msixTable.filter(({ lowerAddr, data }) => lowerAddr !== 0 || data !== 0).length;
      const table = elsewhere("pci.msix_table", `${set} of ${msixTable.length} vectors set up`, FUNCTION);
      const space = elsewhere("pci.device.config", `${device.config.length} bytes`, FUNCTION);
      return set === 0 ? [space] : [space, table];
    }
    case "mmio":
      return [];
    case "ccw":
      return [elsewhere("ccw", "the subchannel and its indicators", FUNCTION)];
  }
}

function partLosses(part: SavedPart, path: string, features: bigint): Loss[] {
  switch (part.kind) {
    case "bytes":
      return part.value.some((byte) => byte !== 0) ? [lost(path, `${part.value.length} bytes`, OWN)] : [];
    case "subsection":
      return part.parts.flatMap((inner) => partLosses(inner, part.name, features));
    case "fields":
      return CARRIED.has(part.layout.type) ? [] : fieldLosses(part, path, features);
  }
}

function fieldLosses({ layout, value }: SavedFields, path: string, features: bigint): Loss[] {
  const isNet = layout.type === "qemu_virtio_net";
  return Object.entries(value ?? {}).flatMap(([key, field]) => {
    const text = textOf(field);
    if (text === undefined || (isNet && NET_CARRIED.has(key))) return [];
    // All that the driver has accepted are on after a reset.
    if (isNet && key === "currGuestOffloads" && field === (features & NET_OFFLOADS)) return [];
    const name = `${path}.${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    return [isNet && NET_BACK_END.has(key) ? elsewhere(name, text, BACK_END) : lost(name, text, OWN)];
  });
}

/** Of a network device: what is read into a state, follows from one, or tells a destination nothing. */
const NET_CARRIED: ReadonlySet<string> = new Set<keyof QemuVirtioNet>([
  ...(["mac", "status", "mergeableRxBufs", "maxQueuePairs", "txWaiting", "txWaiting1"] as const),
  ...(["promisc", "allmulti", "alluni", "nomulti", "nouni", "nobcast"] as const),
  ...(["macTableMacs", "macTableUniOverflow", "macTableMultiOverflow", "vlans"] as const),
]);
const NET_BACK_END: ReadonlySet<string> = new Set<keyof QemuVirtioNet>(["hasVnetHdr", "hasUfo"]);

/** Undefined for what is nothing: zero, empty, all zeroes. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "bigint") {
    return BigInt(value) === 0n ? undefined : String(value);
  }
  if (value instanceof Uint8Array) {
    const set = value.filter((byte) => byte !== 0).length;
    return set === 0 ? undefined : `${value.length} bytes, ${set} of them not zero`;
  }
  if (Array.isArray(value)) {
    const set = value.filter((one) => textOf(one) !== undefined).length;
    return set === 0 ? undefined : `${value.length} entries`;
  }
  if (typeof value === "object" && value !== null) {
    return Object.values(value).some((one) => textOf(one) !== undefined) ? "set" : undefined;
  }
  return undefined;
}

function lost(path: string, value: string, reason: string): Loss {
  return { kind: "lost", path, value, reason };
}

function elsewhere(path: string, value: string, reason: string): Loss {
  return { kind: "elsewhere", path, value, reason };
}
