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
import { FaultCollector, type Node, TreeBuilder } from "../node.js";

type Walk = (reader: Reader, visitor: Visitor) => boolean;

export interface LiveBody {
  readonly fields: readonly Node[] | undefined;
  readonly faults: readonly Fault[];
}

/** Undefined for a body that is unknown, or has not been kept. */
export function readLive(event: SectionEvent, withFields: boolean): LiveBody | undefined {
  const walk = walkOf(event);
  if (walk === undefined || event.body === undefined) return undefined;
  const reader = new Reader(event.body, { base: event.bodyAt });
  const visitor = withFields ? new TreeBuilder(event.bodyAt) : new FaultCollector();
  const whole = walk(reader, visitor);
  const faults = visitor.faults.map((fault) => under(event.name, fault));
  if (whole && reader.at < reader.end && event.bound !== "none") {
    const detail = `${reader.end - reader.at} bytes more than its records take`;
    faults.push(
      streamFault("qemu/live-sections.wire", "trailing", event.name, event.bodyAt + reader.at, detail),
    );
  }
  return { fields: visitor instanceof TreeBuilder ? visitor.roots : undefined, faults };
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
