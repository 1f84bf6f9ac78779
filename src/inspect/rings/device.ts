/** The virtqueues of one device of a migration, with what is needed to show where they lie. */
import type { DeviceRings, GuestPlace, QueueRings } from "../../streams/index.js";

export interface RingsReport {
  /** The section, `#1` and so on behind further ones of the same name. */
  readonly name: string;
  /** From the start of the stream: the field `virtio` of the section. */
  readonly at: number;
  /** Why there are none: the state is damaged. */
  readonly problem: string | undefined;
  readonly rings: DeviceRings | undefined;
  /** What the files are called that `where` counts. */
  readonly inputs: readonly string[];
  /** Where in the streams a byte of guest memory stands. */
  readonly where: (address: bigint) => GuestPlace | { readonly problem: string };
}

/** An area of a queue that is not known, and why. */
export interface UnknownArea {
  readonly name: string;
  readonly address: bigint;
  readonly why: string;
}

/** Areas that could not be read although the queue is set up. */
export function unknownAreas(report: RingsReport, queue: QueueRings): UnknownArea[] {
  const areas: (readonly [name: string, address: bigint])[] = [];
  if (queue.kind === "packed") {
    if (queue.content === undefined) areas.push(["descriptor ring", queue.descriptorArea]);
  } else {
    if (queue.available === undefined) areas.push(["available ring", queue.driverArea]);
    if (queue.used === undefined) areas.push(["used ring", queue.deviceArea]);
  }
  return areas.map(([name, address]) => ({ name, address, why: whyUnknown(report.where(address)) }));
}

function whyUnknown(place: GuestPlace | { readonly problem: string }): string {
  if ("problem" in place) return place.problem;
  const page = `the page ${place.block}+0x${place.offset.toString(16)}`;
  switch (place.content) {
    case "missing":
      return `${page} was never sent in these files (memory that both sides share, or channels that were not given)`;
    case "packed":
      return `${page} could not be unpacked`;
    default:
      return `it does not lie in memory as a whole, from ${page} on`;
  }
}
