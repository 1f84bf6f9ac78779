/** The parts of a saved virtio device that code asks for by name, typed: found where the state holds them. */
import type { QemuVirtioBalloon } from "../../../../generated/qemu/virtio/balloon.js";
import type { QemuVirtioBlk } from "../../../../generated/qemu/virtio/blk.js";
import type {
  QemuVirtio64bitFeatures,
  QemuVirtio128bitFeatures,
  QemuVirtioDeviceEndianState,
  QemuVirtioPackedVirtqueues,
  QemuVirtioRingsize,
  QemuVirtioVirtqueues,
} from "../../../../generated/qemu/virtio/body.js";
import type { QemuVirtioNet, QemuVirtioNetRss } from "../../../../generated/qemu/virtio/net.js";
import type { QemuVirtioSerial } from "../../../../generated/qemu/virtio/serial.js";
import type {
  QemuVirtioMmioState,
  QemuVirtioPciModernState,
  QemuVirtioPciModernStateFeatures128,
} from "../../../../generated/qemu/virtio/transports.js";
import { CORE } from "./core-states.js";
import type { SavedFields, SavedPart, SavedSubsection, VirtioState } from "./state.js";

/** By the name of the struct in its schema. */
export interface SavedValues {
  readonly qemu_virtio_64bit_features: QemuVirtio64bitFeatures;
  readonly qemu_virtio_128bit_features: QemuVirtio128bitFeatures;
  readonly qemu_virtio_device_endian_state: QemuVirtioDeviceEndianState;
  readonly qemu_virtio_virtqueues: QemuVirtioVirtqueues;
  readonly qemu_virtio_packed_virtqueues: QemuVirtioPackedVirtqueues;
  readonly qemu_virtio_ringsize: QemuVirtioRingsize;
  readonly qemu_virtio_pci_modern_state: QemuVirtioPciModernState;
  readonly qemu_virtio_pci_modern_state_features128: QemuVirtioPciModernStateFeatures128;
  readonly qemu_virtio_mmio_state: QemuVirtioMmioState;
  readonly qemu_virtio_blk: QemuVirtioBlk;
  readonly qemu_virtio_serial: QemuVirtioSerial;
  readonly qemu_virtio_balloon: QemuVirtioBalloon;
  readonly qemu_virtio_net: QemuVirtioNet;
  readonly qemu_virtio_net_rss: QemuVirtioNetRss;
}

/** Changes to the value are changes to the state. Undefined: the state has no such part. */
export function savedValue<K extends keyof SavedValues>(
  state: VirtioState,
  type: K,
): SavedValues[K] | undefined {
  // A layout gives the values of the struct that it is called after: its name is the type of its values.
  return find(state.parts, type)?.value as SavedValues[K] | undefined;
}

function find(parts: readonly SavedPart[], type: string): SavedFields | undefined {
  for (const part of parts) {
    if (part.kind === "fields" && part.layout.type === type) return part;
    const inner = part.kind === "subsection" ? find(part.parts, type) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Adds a subsection that all devices can have, where QEMU writes it; one that is there is replaced. */
export function putCoreSubsection<K extends "qemu_virtio_ringsize">(
  state: VirtioState,
  type: K,
  value: SavedValues[K],
): void {
  const order = CORE.subsections.map(({ name }) => name);
  const place = CORE.subsections.findIndex(({ layouts }) => layouts[0]?.type === type);
  const { name, layouts } = CORE.subsections[place] ?? {};
  const [layout] = layouts ?? [];
  if (name === undefined || layout === undefined) return;
  removeSubsection(state, name);
  const added: SavedPart = {
    kind: "subsection",
    name,
    versionId: 1,
    parts: [{ kind: "fields", layout, value }],
  };
  const next = state.parts.findIndex((part) => isSubsection(part) && order.indexOf(part.name) > place);
  state.parts.splice(next < 0 ? state.parts.length : next, 0, added);
}

export function removeSubsection(state: VirtioState, name: string): void {
  state.parts = state.parts.filter((part) => !isSubsection(part) || part.name !== name);
}

function isSubsection(part: SavedPart): part is SavedSubsection & { readonly kind: "subsection" } {
  return part.kind === "subsection";
}
