/**
 * Reads the state of a virtual machine out of a qcow2 image: `savevm` keeps it in an internal snapshot, behind the end of
 * the virtual disk. Tables are followed as they are needed, so nothing large is held.
 */
import {
  decodeQcow2Header,
  decodeQcow2L1Entry,
  decodeQcow2L2Entry,
  decodeQcow2Snapshot,
  QCOW2_L1_ENTRY_SIZE,
  QCOW2_L2_ENTRY_SIZE,
  QCOW2_OFFSET_UNIT,
  type Qcow2Header,
  Qcow2IncompatibleFeature,
  type Qcow2Snapshot,
} from "../../../generated/capture/qcow2.js";
import { type FaultCode, Reader, WireError } from "../../runtime/index.js";
import { streamFault } from "../faults.js";

/** Of the image, by its own offsets. Fewer bytes come back only where the image ends. */
export type ReadImage = (at: number, size: number) => Uint8Array;

/** Enough for the header of any version. */
const HEADER_SIZE = 512;
/** An entry with names of the greatest length. */
const ENTRY_SIZE = 1 << 18;
/** Entries begin at multiples of that. */
const PADDING = 8;
/** QEMU has the same limit. */
const MAX_SNAPSHOTS = 65536;

export interface MachineSnapshot {
  readonly id: string;
  readonly name: string;
  /** In seconds since 1970. */
  readonly taken: number;
  /** Of the machine's state, in bytes. */
  readonly stateSize: number;
  readonly entry: Qcow2Snapshot;
}

export class Qcow2Image {
  private readonly read: ReadImage;
  private readonly header: Qcow2Header;

  /** Throws `WireError` when it is no image, a damaged one, or one that cannot be followed. */
  constructor(read: ReadImage) {
    this.read = read;
    this.header = decodeQcow2Header(new Reader(read(0, HEADER_SIZE)));
    const features = this.header.incompatibleFeatures ?? 0n;
    if (features & Qcow2IncompatibleFeature.QCOW2_INCOMPAT_DATA_FILE) {
      throw wrong("constraint", "header.incompatible_features", 72, "the clusters stand in another file");
    }
    if (features & Qcow2IncompatibleFeature.QCOW2_INCOMPAT_EXTENDED_L2) {
      throw wrong("constraint", "header.incompatible_features", 72, "extended entries cannot be read");
    }
  }

  /** The snapshots that hold the state of a machine. Throws `WireError`. */
  snapshots(): MachineSnapshot[] {
    const { nbSnapshots, snapshotsOffset } = this.header;
    if (nbSnapshots > MAX_SNAPSHOTS) {
      throw wrong("limit", "header.nb_snapshots", 60, `${nbSnapshots}, the cap is ${MAX_SNAPSHOTS}`);
    }
    const found: MachineSnapshot[] = [];
    let at = snapshotsOffset;
    for (let index = 0; index < nbSnapshots; index++) {
      const reader = new Reader(padded(this.read(at, ENTRY_SIZE)), { base: at });
      const entry = decodeQcow2Snapshot(reader);
      at += reader.at;
      const stateSize = entry.vmStateSizeLarge ?? entry.vmStateSize;
      if (stateSize === 0) continue;
      const { id, name, dateSec } = entry;
      found.push({ id, name, taken: dateSec + entry.dateNsec / 1e9, stateSize, entry });
    }
    return found;
  }

  /** The state, by its own offsets. Throws `WireError` where tables or clusters are damaged. */
  state({ entry, stateSize }: MachineSnapshot): ReadImage {
    const { clusterBits } = this.header;
    const clusterSize = 2 ** clusterBits;
    const perTable = clusterSize / QCOW2_L2_ENTRY_SIZE;
    // It begins with the first table of level 2 that holds nothing of the disk.
    const first = Math.ceil((entry.diskSize ?? this.header.size) / (clusterSize * perTable));
    let held = { index: -1, table: new Uint8Array(0) };
    const tableAt = (index: number): Uint8Array => {
      if (held.index !== index) held = { index, table: this.table(entry, first + index, clusterSize) };
      return held.table;
    };
    return (from, size) => {
      const end = Math.min(stateSize, from + size);
      const bytes = new Uint8Array(Math.max(0, end - from));
      for (let at = from; at < end; ) {
        const cluster = Math.floor(at / clusterSize);
        const inside = at - cluster * clusterSize;
        const length = Math.min(end - at, clusterSize - inside);
        const table = tableAt(Math.floor(cluster / perTable));
        const where = clusterOf(table, cluster % perTable, at);
        if (where !== undefined) {
          const got = this.read(where + inside, length);
          bytes.set(got, at - from);
          if (got.length < length) return bytes.subarray(0, at - from + got.length);
        }
        at += length;
      }
      return bytes;
    };
  }

  /** A table of level 2; empty where there is none. */
  private table(entry: Qcow2Snapshot, index: number, clusterSize: number): Uint8Array<ArrayBuffer> {
    if (index >= entry.l1Size) return new Uint8Array(0);
    const at = entry.l1TableOffset + index * QCOW2_L1_ENTRY_SIZE;
    const bytes = this.read(at, QCOW2_L1_ENTRY_SIZE);
    const offset = decodeQcow2L1Entry(bytes).offset * QCOW2_OFFSET_UNIT;
    if (offset === 0) return new Uint8Array(0);
    const table = this.read(offset, clusterSize);
    if (table.length < clusterSize) {
      throw wrong("truncated", "l1_entry.offset", at, `a table at 0x${offset.toString(16)}, behind the end`);
    }
    return table.slice();
  }
}

/** QEMU does not write the padding of the last entry: the image may end in front of it. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0 || bytes.length === ENTRY_SIZE) return bytes;
  const longer = new Uint8Array(bytes.length + PADDING);
  longer.set(bytes);
  return longer;
}

/** Where a cluster stands in the image; undefined when it reads as zeros. */
function clusterOf(table: Uint8Array, index: number, at: number): number | undefined {
  const entryAt = index * QCOW2_L2_ENTRY_SIZE;
  if (entryAt >= table.length) return undefined;
  const entry = decodeQcow2L2Entry(table.subarray(entryAt, entryAt + QCOW2_L2_ENTRY_SIZE));
  if (entry.compressed !== 0) {
    throw wrong(
      "constraint",
      "l2_entry",
      at,
      "a compressed cluster: QEMU writes none in the state of a machine",
    );
  }
  if (entry.zero !== 0 || entry.offset === 0) return undefined;
  return entry.offset * QCOW2_OFFSET_UNIT;
}

function wrong(code: FaultCode, path: string, at: number, detail: string): WireError {
  return new WireError(streamFault("capture/qcow2.wire", code, path, at, detail));
}
