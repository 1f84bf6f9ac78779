/** Reads the bodies of live sections besides `ram`: no description tells of them, so their layouts are those of QEMU's sources. */
import {
  walkDirtyBitmapMigPart,
  walkS390StattrPart,
  walkSpaprHtabPart,
  walkSpaprHtabStart,
} from "../../../generated/qemu/live-sections.js";
import { walkVfioMigRecord } from "../../../generated/qemu/vfio.js";
import { type Fault, Reader, type Visitor } from "../../runtime/index.js";
import { streamFault, under } from "../../streams/faults.js";
import type { SectionEvent } from "../../streams/qemu/events.js";
import { placed } from "../fault-place.js";
import { FaultCollector, type Node, TreeBuilder } from "../node.js";
import type { Path } from "../path.js";

type Walk = (reader: Reader, visitor: Visitor) => boolean;

export interface LiveBody {
  readonly fields: readonly Node[] | undefined;
  readonly faults: readonly Fault[];
}

/** Undefined for a body that is unknown, or has not been kept. */
export function readLive(event: SectionEvent, path: Path, withFields: boolean): LiveBody | undefined {
  const { name, body, bodyAt } = event;
  const walk = walkOf(event);
  if (walk === undefined || body === undefined) return undefined;
  const reader = new Reader(body, { base: bodyAt });
  const visitor = withFields ? new TreeBuilder(bodyAt) : new FaultCollector();
  const whole = walk(reader, visitor);
  const fields = visitor instanceof TreeBuilder ? visitor.roots : undefined;
  const faults = visitor.faults.map((fault) => under(name, fault));
  if (whole && reader.at < reader.end && event.bound !== "none") {
    const detail = `${reader.end - reader.at} bytes more than its records take`;
    faults.push(streamFault("qemu/live-sections.wire", "trailing", name, bodyAt + reader.at, detail));
  }
  const nodes = faults.length === 0 ? undefined : (fields ?? treeOf(walk, body, bodyAt));
  return { fields, faults: faults.map((fault) => placed(fault, name, { path, fields: nodes })) };
}

/** For what is damaged: without its fields, its faults have no place. */
function treeOf(walk: Walk, body: Uint8Array, bodyAt: number): readonly Node[] {
  const tree = new TreeBuilder(bodyAt);
  walk(new Reader(body, { base: bodyAt }), tree);
  return tree.roots;
}

function walkOf({ name, phase }: SectionEvent): Walk | undefined {
  if (/(?:^|\/)vfio$/.test(name)) return walkVfio;
  switch (name) {
    case "dirty-bitmap":
      return walkDirtyBitmapMigPart;
    case "s390-storage_attributes":
      return walkS390StattrPart;
    case "spapr/htab":
      return phase === "start" ? walkSpaprHtabStart : walkSpaprHtabPart;
    default:
      return undefined;
  }
}

function walkVfio(reader: Reader, visitor: Visitor): boolean {
  while (reader.at < reader.end) {
    if (!walkVfioMigRecord(reader, visitor)) return false;
  }
  return true;
}
