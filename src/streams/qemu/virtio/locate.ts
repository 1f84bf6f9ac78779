/**
 * Takes a saved virtio device apart. The state says neither which transport it belongs to nor where the device's own
 * part ends: what is likely is tried first, and what takes the bytes exactly is it.
 */
import {
  type QemuVirtioCommon,
  QemuVirtioDeviceEndian,
  readQemuVirtioCommon,
  scanQemuVirtioCommon,
  sizeofQemuVirtioCommon,
  walkQemuVirtioCommon,
  writeQemuVirtioCommon,
} from "../../../../generated/qemu/virtio/body.js";
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { Reader } from "../../../runtime/index.js";
import { Span } from "../relay.js";
import { CORE, DEVICE_ENDIAN, FEATURES_64, FEATURES_128 } from "./core-states.js";
import type { SavedDevice, VirtioDevice } from "./device.js";
import { virtioDeviceOf } from "./devices.js";
import { findHead, headAt } from "./heads.js";
import { type Layout, layout } from "./layout.js";
import type { Piece } from "./pieces.js";
import { StateLocator } from "./state-locator.js";
import { transportsOf, type VirtioTransport } from "./transports.js";
import type { Vmstate } from "./vmstate.js";

/** What is known of a state besides its bytes. */
export interface VirtioSection {
  /** The section's name, e.g. `0000:00:02.0/virtio-net`. */
  readonly name: string;
  readonly versionId: number;
  /** The machine type, e.g. `pc-q35-10.0`: a legacy driver's byte order is that of the machine. */
  readonly machine: string | undefined;
}

export interface LocatedVirtio {
  /** Undefined: the own part of such a device is bytes. */
  readonly device: VirtioDevice | undefined;
  readonly transport: VirtioTransport;
  readonly common: Layout<QemuVirtioCommon>;
  /** Undefined when it is damaged. */
  readonly value: QemuVirtioCommon | undefined;
  readonly saved: SavedDevice;
  /** In order, from the reader's cursor to its end. */
  readonly pieces: readonly Piece[];
  /** 0 when the bytes are exactly what the layouts ask for. */
  readonly damage: number;
}

const OWN = "device";
/** Written by devices that offer packed rings, whether the driver uses them or not. */
const PACKED = "virtio/packed_virtqueues";
/** Machines whose guests are big-endian unless they say otherwise. */
const BIG_ENDIAN =
  /^(s390-|pseries|powernv|ppce500|mac99|g3beige|40p|ref405ep|bamboo|SS-|sun4|leon3|q800|mcf)/;

const COMMON = {
  scan: scanQemuVirtioCommon,
  read: readQemuVirtioCommon,
  walk: walkQemuVirtioCommon,
  sizeof: sizeofQemuVirtioCommon,
  write: writeQemuVirtioCommon,
};

/** The field `virtio`: from the reader's cursor to its end. */
export function locateVirtio(reader: Reader, section: VirtioSection): LocatedVirtio {
  return locate(reader, section, false);
}

/**
 * The whole body of the section, where no description says which fields it has: the field `virtio` is one piece, what
 * the device has behind it follows.
 */
export function locateVirtioSection(reader: Reader, section: VirtioSection): LocatedVirtio {
  return locate(reader, section, true);
}

/** A state by itself: from the reader's cursor to its end. */
export function locateState(reader: Reader, of: Vmstate): Pick<LocatedVirtio, "pieces" | "damage"> {
  const { at, end, depth } = reader;
  const states = new StateLocator(reader, undefined);
  const pieces = states.state(of);
  if (reader.at < end) pieces.push(states.skip("unreadable", states.isLost));
  reader.rewind(at, end, depth);
  return { pieces, damage: states.damage };
}

function locate(reader: Reader, section: VirtioSection, isSection: boolean): LocatedVirtio {
  const { at, end, depth } = reader;
  let best: LocatedVirtio | undefined;
  for (const transport of transportsOf(section.name, reader)) {
    const locator = new Locator(reader, section, transport);
    const located = isSection ? locator.section() : locator.virtio();
    reader.rewind(at, end, depth);
    if (best === undefined || located.damage < best.damage) best = located;
    if (best.damage === 0) break;
  }
  return best as LocatedVirtio;
}

class Locator {
  private readonly reader: Reader;
  private readonly from: VirtioSection;
  private readonly transport: VirtioTransport;
  private readonly device: VirtioDevice | undefined;
  private readonly states: StateLocator;
  /** Fields of the section follow the state: it ends where its subsections do. */
  private isOpen = false;

  constructor(reader: Reader, from: VirtioSection, transport: VirtioTransport) {
    this.reader = reader;
    this.from = from;
    this.transport = transport;
    this.device = virtioDeviceOf(from.name);
    const behind = this.device?.subsections?.map(({ name }) => name) ?? [];
    this.states = new StateLocator(reader, CORE, new Set(behind));
  }

  virtio(): LocatedVirtio {
    const { reader, transport, device, states } = this;
    const pieces: Piece[] = [states.fields(transport.layout, transport.kind)];
    const { saved, common, value } = this.context();
    if (!states.isLost) pieces.push(states.fields(common, ""));
    if (!states.isLost) pieces.push(...this.own(saved));
    pieces.push(...states.subsections(CORE));
    while (!this.isOpen && reader.at < reader.end) {
      pieces.push(states.skip("unreadable", states.isLost), ...states.subsections(CORE));
    }
    return { device, transport, common, value, saved, pieces, damage: states.damage };
  }

  section(): LocatedVirtio {
    const { reader, device, states } = this;
    const { at } = reader;
    const behind = device?.behind ?? [];
    const named = device?.subsections ?? [];
    this.isOpen = behind.length > 0 || named.length > 0;
    const located = this.virtio();
    const subsections = named.map(({ state }) => state(located.saved));
    const pieces: Piece[] = [
      { kind: "group", name: "virtio", type: "virtio", at, end: reader.at, pieces: located.pieces },
    ];
    for (const { field, state } of behind) {
      const start = reader.at;
      const of = state(located.saved);
      pieces.push({
        kind: "group",
        name: field,
        type: of.name,
        at: start,
        pieces: states.state(of),
        end: reader.at,
      });
    }
    pieces.push(...states.subsections({ name: this.from.name, layouts: [], subsections }));
    if (reader.at < reader.end) pieces.push(states.skip("unreadable", states.isLost));
    return { ...located, pieces, damage: states.damage };
  }

  /** What only other parts of the state tell: byte order and features. Moves nothing. */
  private context(): Pick<LocatedVirtio, "saved" | "common" | "value"> {
    const { reader, from } = this;
    const { at, end, depth } = reader;
    // The byte order changes no place: either will do to find what tells it.
    const provisional = this.common(true);
    const value = provisional.scan(reader) ? provisional.read(reader.rewind(at, end, depth)) : undefined;
    const behind = value === undefined ? at : reader.at;
    const span = new Span("config");
    provisional.walk(reader.rewind(at, end, depth), span);
    reader.rewind(at, end, depth);
    const words = this.subsectionFrom(behind, "virtio/64bit_features", FEATURES_64);
    const high = this.subsectionFrom(behind, "virtio/128bit_features", FEATURES_128);
    const low = words?.guestFeatures ?? BigInt(value?.guestFeaturesLo ?? 0);
    const features = low | ((high?.guestFeaturesHi ?? 0n) << 64n);
    const isBig = BIG_ENDIAN.test(from.machine ?? "") || this.transport.kind === "ccw";
    const order = this.subsectionFrom(behind, "virtio/device_endian", DEVICE_ENDIAN)?.deviceEndian;
    const isModern = (features & VirtioFeature.VIRTIO_F_VERSION_1) !== 0n;
    const isBigGuest =
      order === undefined ? isBig : order === QemuVirtioDeviceEndian.VIRTIO_DEVICE_ENDIAN_BIG;
    const guestLittleEndian = isModern || !isBigGuest;
    return {
      common: this.common(guestLittleEndian),
      value,
      saved: {
        versionId: from.versionId,
        features,
        config: reader.bytes.subarray(span.at ?? at, span.end ?? at),
        guestLittleEndian,
        queues: value?.queues.length ?? 0,
        offersPacked: findHead(reader, behind, (name) => name === PACKED) !== undefined,
        hostLittleEndian: !isBig,
      },
    };
  }

  private common(guestLittleEndian: boolean): Layout<QemuVirtioCommon> {
    const { hasAlignment, vectors } = this.transport;
    const id = this.device?.id ?? VirtioDeviceId.VIRTIO_ID_INVALID;
    return layout("qemu_virtio_common", COMMON, id, guestLittleEndian, hasAlignment, vectors);
  }

  /** The subsection of that name somewhere behind index `from`. */
  private subsectionFrom<T>(from: number, name: string, of: Layout<T>): T | undefined {
    const { reader } = this;
    const head = findHead(reader, from, (found) => found === name);
    if (head === undefined) return undefined;
    const { at, end, depth } = reader;
    const sound = of.scan(reader.rewind(head.bodyAt, end, depth));
    const value = sound ? of.read(reader.rewind(head.bodyAt, end, depth)) : undefined;
    reader.rewind(at, end, depth);
    return value;
  }

  private own(saved: SavedDevice): Piece[] {
    const { device, states } = this;
    if (device !== undefined) return device.own === undefined ? [] : states.state(device.own(saved), OWN);
    const first = headAt(this.reader, this.reader.at);
    return first !== undefined || this.reader.at === this.reader.end ? [] : [states.skip(OWN, true)];
  }
}
