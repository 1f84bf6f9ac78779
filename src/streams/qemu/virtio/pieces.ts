/**
 * A saved state taken apart: which layout holds from where to where. Found once, by scanning; reporting, decoding and
 * checking follow it.
 */
import { walkQemuVmSubsection } from "../../../../generated/qemu/stream.js";
import type { FaultCode, FieldValue, Reader, Site, Visitor } from "../../../runtime/index.js";
import { streamFault } from "../../faults.js";
import { Relay, Under } from "../relay.js";
import type { Layout } from "./layout.js";

export type Piece = FieldsPiece | BytesPiece | SubsectionPiece | GroupPiece;

/** Indices of the reader. */
interface Place {
  readonly at: number;
  readonly end: number;
}

export interface FieldsPiece extends Place {
  readonly kind: "fields";
  /** Empty: its fields stand beside the other pieces. */
  readonly name: string;
  readonly layout: Layout;
  /** The scan has found nothing wrong, and took all of it. False: the walk will say what is. */
  readonly sound: boolean;
}

/** Bytes that no layout claims: of a state that is not known, or behind damage. */
export interface BytesPiece extends Place {
  readonly kind: "bytes";
  readonly name: string;
  /** Undefined where nothing is wrong, or where it has been said already. */
  readonly fault: { readonly code: FaultCode; readonly detail: string } | undefined;
}

interface SubsectionPiece extends Place {
  readonly kind: "subsection";
  readonly name: string;
  readonly versionId: number;
  /** The version that is known, where that is another one. */
  readonly expected: number | undefined;
  readonly pieces: readonly Piece[];
}

/** A field of the section. */
interface GroupPiece extends Place {
  readonly kind: "group";
  readonly name: string;
  readonly type: string;
  readonly pieces: readonly Piece[];
}

const SCHEMA = "qemu/virtio/body.wire";

/** Reports the pieces in order. `path` leads the paths of faults. */
export function walkPieces(reader: Reader, pieces: readonly Piece[], visitor: Visitor, path: string): void {
  const { end, depth } = reader;
  for (const piece of pieces) {
    reader.rewind(piece.at, piece.end, depth + 1);
    if (piece.kind === "fields") walkFields(reader, piece, visitor, path);
    else if (piece.kind === "bytes") walkBytes(reader, piece, visitor, path);
    else if (piece.kind === "group") walkGroup(reader, piece, visitor, path);
    else walkSubsection(reader, piece, visitor, path);
    reader.rewind(piece.end, end, depth);
  }
}

function walkFields(reader: Reader, piece: FieldsPiece, visitor: Visitor, path: string): void {
  const { name, layout, sound, at, end } = piece;
  if (name !== "") visitor.open({ name, type: layout.type, schema: SCHEMA }, -1, at);
  if (sound) {
    // Nothing to say and no byte passed over: of the thousands of queues every field would go through both for nothing.
    layout.walk(reader, visitor);
  } else {
    const claims = new Claims(visitor, reader, at);
    layout.walk(reader, new Under(claims, joined(path, name)));
    claims.upTo(end);
  }
  if (name !== "") visitor.close(end);
}

function walkBytes(reader: Reader, piece: BytesPiece, visitor: Visitor, path: string): void {
  const { name, at, end, fault } = piece;
  const size = end - at;
  visitor.field({ name, type: `u8[${size}]`, schema: SCHEMA }, -1, at, size, reader.slice(size));
  if (fault === undefined) return;
  visitor.fault(streamFault(SCHEMA, fault.code, path, reader.base + at, fault.detail));
}

function walkSubsection(reader: Reader, piece: SubsectionPiece, visitor: Visitor, path: string): void {
  visitor.open({ name: piece.name, type: "subsection", schema: SCHEMA }, -1, piece.at);
  visitor.open({ name: "head", type: "qemu_vm_subsection", schema: SCHEMA, role: "constant" }, -1, piece.at);
  walkQemuVmSubsection(reader, visitor);
  if (piece.expected !== undefined) {
    const detail = `version ${piece.versionId}, known is ${piece.expected}`;
    const place = joined(joined(path, piece.name), "version_id");
    visitor.fault(streamFault(SCHEMA, "constraint", place, reader.base + piece.at, detail));
  }
  visitor.close(reader.at);
  walkPieces(reader, piece.pieces, visitor, joined(path, piece.name));
  visitor.close(piece.end);
}

function walkGroup(reader: Reader, piece: GroupPiece, visitor: Visitor, path: string): void {
  visitor.open({ name: piece.name, type: piece.type, schema: SCHEMA }, -1, piece.at);
  walkPieces(reader, piece.pieces, visitor, joined(path, piece.name));
  visitor.close(piece.end);
}

/** Damage makes a walk pass over bytes: they become fields too, so that none goes unseen. */
class Claims extends Relay {
  private readonly reader: Reader;
  private claimed: number;

  constructor(target: Visitor, reader: Reader, at: number) {
    super(target);
    this.reader = reader;
    this.claimed = at;
  }

  override field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    this.upTo(at);
    this.claimed = at + size;
    super.field(site, index, at, size, value, bit, width);
  }

  upTo(at: number): void {
    const { claimed } = this;
    const size = at - claimed;
    if (size <= 0) return;
    this.claimed = at;
    const site: Site = { name: "unreadable", type: `u8[${size}]`, schema: SCHEMA };
    super.field(site, -1, claimed, size, this.reader.bytes.subarray(claimed, at));
  }
}

function joined(path: string, name: string): string {
  return path === "" || name === "" ? path + name : `${path}.${name}`;
}
