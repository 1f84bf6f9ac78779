/**
 * The saved state of a virtio device as a value: decoded, changed, encoded again. What is not known is kept as bytes,
 * so that encoding gives the same bytes back.
 */
import { writeQemuVmSubsection } from "../../../../generated/qemu/stream.js";
import type { QemuVirtioCommon } from "../../../../generated/qemu/virtio/body.js";
import type {
  QemuVirtioCcw,
  QemuVirtioMmio,
  QemuVirtioPci,
} from "../../../../generated/qemu/virtio/transports.js";
import { Reader, WireError, Writer } from "../../../runtime/index.js";
import { DEAF, Relay } from "../relay.js";
import type { Layout } from "./layout.js";
import { locateVirtio, type VirtioSection } from "./locate.js";
import { type Piece, walkPieces } from "./pieces.js";
import type { VirtioTransport } from "./transports.js";

/** A struct, and the layout that it was read by. */
export interface SavedFields<T = unknown> {
  readonly layout: Layout<T>;
  value: T;
}

export type SavedTransport =
  | (SavedFields<QemuVirtioPci> & { readonly kind: "pci" })
  | (SavedFields<QemuVirtioMmio> & { readonly kind: "mmio" })
  | (SavedFields<QemuVirtioCcw> & { readonly kind: "ccw" });

export interface SavedSubsection {
  readonly name: string;
  readonly versionId: number;
  parts: SavedPart[];
}

export type SavedPart =
  | (SavedFields & { readonly kind: "fields" })
  | (SavedSubsection & { readonly kind: "subsection" })
  /** What is not known. */
  | { readonly kind: "bytes"; value: Uint8Array };

/** The field `virtio` of a device's section. */
export interface VirtioState {
  transport: SavedTransport;
  common: SavedFields<QemuVirtioCommon>;
  /** The device's own part, then the subsections. */
  parts: SavedPart[];
}

/**
 * Decodes the field `virtio` of a section; of most devices it is the whole body.
 * @throws WireError when a part of it is damaged. Inspecting shows what can be read all the same.
 */
export function decodeVirtioState(bytes: Uint8Array, section: VirtioSection): VirtioState {
  const reader = new Reader(bytes);
  const { transport, common, pieces } = locateVirtio(reader, section);
  walkPieces(reader, pieces, new Refusing(DEAF), "");
  const [first, second, ...others] = pieces;
  reader.at = first?.at ?? 0;
  const saved = savedTransport(transport, reader);
  reader.at = second?.at ?? reader.at;
  return {
    transport: saved,
    common: { layout: common, value: common.read(reader) },
    parts: others.flatMap((piece) => savedPart(reader, piece)),
  };
}

/**
 * Encodes it, lengths and counts included.
 * @throws WireError when a value does not fit its field, or breaks a rule of its schema.
 */
export function encodeVirtioState({ transport, common, parts }: VirtioState): Uint8Array {
  const writer = new Writer();
  write(writer, transport);
  write(writer, common);
  for (const part of parts) writePart(writer, part);
  return writer.written();
}

/** Damage has no value. */
class Refusing extends Relay {
  override fault(fault: ConstructorParameters<typeof WireError>[0]): void {
    throw new WireError(fault);
  }
}

function savedTransport(transport: VirtioTransport, reader: Reader): SavedTransport {
  const { kind } = transport;
  switch (kind) {
    case "pci":
      return { kind, layout: transport.layout, value: transport.layout.read(reader) };
    case "mmio":
      return { kind, layout: transport.layout, value: transport.layout.read(reader) };
    case "ccw":
      return { kind, layout: transport.layout, value: transport.layout.read(reader) };
  }
}

function savedPart(reader: Reader, piece: Piece): SavedPart[] {
  const { at, end } = piece;
  switch (piece.kind) {
    case "fields": {
      const { layout } = piece;
      reader.at = at;
      return [{ kind: "fields", layout, value: layout.read(reader) }];
    }
    case "bytes":
      return [{ kind: "bytes", value: reader.bytes.slice(at, end) }];
    case "subsection": {
      const { name, versionId } = piece;
      const parts = piece.pieces.flatMap((inner) => savedPart(reader, inner));
      return [{ kind: "subsection", name, versionId, parts }];
    }
    case "group":
      return piece.pieces.flatMap((inner) => savedPart(reader, inner));
  }
}

function write(writer: Writer, { layout, value }: SavedFields): void {
  layout.write(writer, value);
}

function writePart(writer: Writer, part: SavedPart): void {
  switch (part.kind) {
    case "fields":
      write(writer, part);
      break;
    case "bytes":
      writer.put(part.value);
      break;
    case "subsection":
      writeQemuVmSubsection(writer, { name: { text: part.name }, versionId: part.versionId });
      for (const inner of part.parts) writePart(writer, inner);
      break;
  }
}
