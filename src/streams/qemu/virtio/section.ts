/** The fields of a virtio device's section: as the description names them, or all of them where there is none. */
import type { Reader, Visitor } from "../../../runtime/index.js";
import type { FieldDescription } from "../description.js";
import { opaqueField, undescribedSection } from "../opaque-fields.js";
import type { WalkInside } from "../state.js";
import { Judge } from "./judge.js";
import {
  type LocatedVirtio,
  locateState,
  locateVirtio,
  locateVirtioSection,
  type VirtioSection,
} from "./locate.js";
import { walkPieces } from "./pieces.js";
import type { Vmstate } from "./vmstate.js";

/** What VMStateInfo calls the field. */
const VIRTIO = "virtio";

export class VirtioFields {
  /** For `walkState`. */
  readonly look = (field: FieldDescription): WalkInside | undefined => this.inside(field);
  private readonly section: VirtioSection;
  private found: LocatedVirtio | undefined;

  constructor(section: VirtioSection) {
    this.section = section;
  }

  /** What was found out about the field `virtio`, once it has been walked. */
  get located(): LocatedVirtio | undefined {
    return this.found;
  }

  private inside(field: FieldDescription): WalkInside | undefined {
    if (field.type === VIRTIO) return (reader, visitor, path) => this.field(reader, visitor, path);
    const state = this.behind(field) ?? this.struct(field) ?? opaqueField(field.type);
    if (state === undefined) return undefined;
    return (reader, visitor, path) => {
      const { pieces, damage } = locateState(reader, state);
      walkPieces(reader, pieces, visitor, path);
      return damage === 0;
    };
  }

  /** A field of the device's own behind `virtio`. */
  private behind({ name }: FieldDescription): Vmstate | undefined {
    if (this.found === undefined) return undefined;
    const { device, saved } = this.found;
    return device?.behind?.find(({ field }) => field === name)?.state(saved);
  }

  private struct({ struct }: FieldDescription): Vmstate | undefined {
    if (this.found === undefined || struct === undefined) return undefined;
    const { device, saved } = this.found;
    return device?.structs?.get(struct.name)?.(saved);
  }

  /** The whole body of the section, without a description. */
  all(reader: Reader, visitor: Visitor, path: string): boolean {
    const state = undescribedSection(this.section.name);
    if (state !== undefined) return this.walk(reader, visitor, path, locateState(reader, state).pieces);
    this.found = locateVirtioSection(reader, this.section);
    return this.walk(reader, visitor, path);
  }

  /** The field `virtio`. */
  field(reader: Reader, visitor: Visitor, path: string): boolean {
    this.found = locateVirtio(reader, this.section);
    return this.walk(reader, visitor, path);
  }

  private walk(reader: Reader, visitor: Visitor, path: string, pieces = this.found?.pieces ?? []): boolean {
    const judge = new Judge(visitor, reader.base, path);
    walkPieces(reader, pieces, judge, path);
    reader.at = reader.end;
    return judge.faults === 0;
  }
}

/**
 * Reports every byte of the field `virtio`, from the reader's cursor to its end. `path` leads the paths of faults.
 * False: something is wrong, and the visitor has heard it.
 */
export function walkVirtioState(
  reader: Reader,
  section: VirtioSection,
  visitor: Visitor,
  path = "",
): boolean {
  return new VirtioFields(section).field(reader, visitor, path);
}
