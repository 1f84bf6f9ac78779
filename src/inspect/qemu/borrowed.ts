/**
 * The description of another stream of the same machine, or a dump of the states that QEMU knows, for a stream that
 * carries none, as after postcopy. Where lists
 * are longer, subsections more or versions others than in that stream, it does not fit: it is a hint, a body that it does
 * not explain to the last byte stays bytes, and it never makes a fault.
 */
import { Reader } from "../../runtime/index.js";
import {
  type Description,
  describedSize,
  deviceKey,
  deviceStates,
  type StateDescription,
} from "../../streams/qemu/description.js";
import type { SectionEvent } from "../../streams/qemu/events.js";
import { walkState } from "../../streams/qemu/state.js";
import type { LocatedVirtio, VirtioSection } from "../../streams/qemu/virtio/locate.js";
import { VirtioFields } from "../../streams/qemu/virtio/section.js";
import type { VmstateDump } from "../../streams/qemu/vmstate-dump.js";
import { fitState } from "../../streams/qemu/vmstate-fit.js";
import type { BorrowedDescription } from "../inspection.js";
import { FaultCollector, type Node, TreeBuilder } from "../node.js";

/** Sections that a note names, and that are counted. */
const MAX_NAMED = 5;
const MAX_LISTED = 10_000;

export interface BorrowedReading {
  /** When they were asked for. */
  readonly fields: readonly Node[] | undefined;
  readonly virtio: LocatedVirtio | undefined;
}

export class Borrowed {
  readonly from: string;
  private readonly lookUp: LookUp;
  private read = 0;
  private readonly strange = new Listed();
  private readonly unfit = new Listed();

  constructor({ from, description }: BorrowedDescription) {
    this.from = from;
    this.lookUp = "states" in description ? amongDumped(description) : amongDescribed(description);
  }

  /** Undefined when the section stays bytes. A body that was not kept cannot be compared. */
  fields(
    event: SectionEvent,
    body: Uint8Array | undefined,
    section: VirtioSection,
    withFields: boolean,
  ): BorrowedReading | undefined {
    const { name, instanceId, bodyAt } = event;
    const shown = instanceId === 0 ? name : `${name} #${instanceId}`;
    if (body === undefined) {
      this.unfit.add(`${shown} (${event.bodySize} bytes, too many to be read)`);
      return undefined;
    }
    const state = this.lookUp(event, body);
    if (state === undefined) {
      this.strange.add(shown);
      return undefined;
    }
    if (typeof state === "string") {
      this.unfit.add(`${shown} (${state})`);
      return undefined;
    }
    const reader = new Reader(body, { base: bodyAt });
    const visitor = withFields ? new TreeBuilder(bodyAt) : new FaultCollector();
    const virtio = new VirtioFields(section);
    const readable = walkState(reader, state, visitor, name, virtio.look);
    const whole = readable && visitor.faults.length === 0 && reader.at === reader.end;
    if (!whole) {
      const size = describedSize(state);
      const why =
        size === undefined || size === body.length
          ? "its fields do not stand where they are described"
          : `${body.length} bytes, described as ${size}`;
      this.unfit.add(`${shown} (${why})`);
      return undefined;
    }
    this.read++;
    return { fields: visitor instanceof TreeBuilder ? visitor.roots : undefined, virtio: virtio.located };
  }

  /** What became of it. */
  notes(): string[] {
    return [`sections read as ${this.from} describes them: ${this.read}`, ...this.misfits()];
  }

  /** What stayed bytes. */
  misfits(): string[] {
    const notes: string[] = [];
    if (this.unfit.count > 0) notes.push(`shown as bytes, not as ${this.from} describes: ${this.unfit.text}`);
    if (this.strange.count > 0) notes.push(`shown as bytes, not in ${this.from}: ${this.strange.text}`);
    return notes;
  }
}

/** Finds the state of a section: undefined when there is none, a text when it is clear that it does not fit. */
type LookUp = (event: SectionEvent, body: Uint8Array) => StateDescription | string | undefined;

function amongDescribed(description: Description): LookUp {
  const states = deviceStates(description);
  return ({ name, instanceId, versionId }) => {
    const state = states.get(deviceKey(name, instanceId));
    if (state?.version === undefined || state.version === versionId) return state;
    return `version ${versionId}, described as ${state.version}`;
  };
}

function amongDumped({ states }: VmstateDump): LookUp {
  return ({ name, versionId }, body) => {
    // Before the name of the state, a section has the path of its device, with slashes of its own.
    let from = 0;
    let known = states.get(name);
    while (known === undefined) {
      from = name.indexOf("/", from) + 1;
      if (from === 0) return undefined;
      known = states.get(name.slice(from));
    }
    const fits = known.flatMap((state) => fitState(state, versionId, body) ?? []);
    const [first, ...others] = fits;
    if (first === undefined) return "its bytes can be read in no way, or in several";
    const text = JSON.stringify(first);
    if (others.some((other) => JSON.stringify(other) !== text))
      return "several devices have states of that name";
    return first;
  };
}

/** Names a few and counts the rest: a hostile stream has sections without end, and checkpoints repeat theirs. */
class Listed {
  private readonly names = new Set<string>();

  get count(): number {
    return this.names.size;
  }

  add(name: string): void {
    if (this.names.size < MAX_LISTED) this.names.add(name);
  }

  get text(): string {
    const rest = this.count - MAX_NAMED;
    return `${[...this.names].slice(0, MAX_NAMED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
  }
}
