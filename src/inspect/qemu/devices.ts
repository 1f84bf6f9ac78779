/**
 * Devices against the description: which device it describes, whether version and size agree, and what the fields are.
 * A device comes before the description does, and waits for it. Virtio devices can be read without one.
 */
import { type Fault, Reader, type Visitor } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import {
  type Description,
  describedSize,
  deviceKey,
  deviceStates,
  type StateDescription,
} from "../../streams/qemu/description.js";
import type { SectionEvent } from "../../streams/qemu/events.js";
import { undescribedSection } from "../../streams/qemu/opaque-fields.js";
import { walkState } from "../../streams/qemu/state.js";
import { virtioDeviceOf } from "../../streams/qemu/virtio/devices.js";
import type { LocatedVirtio, VirtioSection } from "../../streams/qemu/virtio/locate.js";
import { VirtioFields } from "../../streams/qemu/virtio/section.js";
import { placed } from "../fault-place.js";
import { featureMeaning } from "../features.js";
import { type LentFields, SizeCollector } from "../lent-fields.js";
import { FaultCollector, type MeaningOf, type Node, TreeBuilder } from "../node.js";
import { Borrowed } from "./borrowed.js";
import { MAX_ROWS, type Row } from "./rows.js";

const SCHEMA = "qemu/stream.wire";
/** Bodies that wait for a description at the end of the stream are kept up to this many bytes together. */
const MAX_WAITING = 64 << 20;

/** A device whose state has not been checked against the description yet. */
interface Waiting {
  readonly event: SectionEvent;
  readonly body: Uint8Array | undefined;
  readonly row: Row;
}

/** What becomes of the fields besides being checked. */
export type FieldsMode = "checked" | "kept" | "lent";

export interface DeviceReport {
  readonly event: SectionEvent;
  readonly row: Row;
  /** Its fields, when they were asked for and can be read. */
  readonly fields: readonly Node[] | undefined;
  /** In the place of `fields`, when they were asked for so, and nothing is wrong. */
  readonly lent: LentFields | undefined;
  readonly faults: readonly Fault[];
  /** What a reader should know although nothing is wrong. */
  readonly note: string | undefined;
  /** Of a virtio device whose state can be read. */
  readonly virtio: LocatedVirtio | undefined;
}

export class Devices {
  private readonly mode: FieldsMode;
  private readonly report: (device: DeviceReport) => void;
  private readonly borrowed: Borrowed | undefined;
  /** The machine type, as soon as the stream has told it. */
  machine: string | undefined;
  private readonly described = new Set<string>();
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private states: Map<string, StateDescription> | undefined;
  private known: Description | undefined;
  private again: Borrowed | undefined;

  /**
   * `report` is called once for each device taken, in order. `borrowed` is asked when it is sure that the stream describes
   * nothing itself.
   */
  constructor(mode: FieldsMode, report: (device: DeviceReport) => void, borrowed?: Borrowed) {
    this.mode = mode;
    this.report = report;
    this.borrowed = borrowed;
  }

  get description(): Description | undefined {
    return this.known;
  }

  /** Some device has not been reported yet. */
  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** The first description counts: the one that the user brought, or the stream's own. */
  describe(description: Description): void {
    this.known ??= description;
    this.states ??= deviceStates(description);
  }

  take(event: SectionEvent, row: Row): void {
    if (this.states === undefined && this.waiting.length < MAX_ROWS) this.wait(event, row);
    else this.check(event, event.body, row);
  }

  /**
   * A device of a checkpoint. Its lists and subsections may be others than when it was described: what does not fit stays
   * bytes, but for virtio devices, which say themselves what they are.
   */
  takeAgain(event: SectionEvent, row: Row, onMisfit: () => void): void {
    const { name, versionId } = event;
    if (this.known !== undefined) {
      this.again ??= new Borrowed({ from: "the stream's own description", description: this.known });
    }
    const read = this.again?.fields(
      event,
      event.body,
      { name, versionId, machine: this.machine },
      this.mode !== "checked",
    );
    if (read === undefined && this.again !== undefined) onMisfit();
    if (read === undefined && readsUndescribed(name)) this.read(event, event.body, row, undefined, []);
    else
      this.report({
        event,
        row,
        fields: read?.fields,
        lent: undefined,
        faults: [],
        note: undefined,
        virtio: read?.virtio,
      });
  }

  /** What the devices of checkpoints hold that could not be read. */
  misfits(): string[] {
    return this.again?.misfits() ?? [];
  }

  /** A description was found, or none will come: nothing waits any longer. */
  release(): void {
    for (const { event, body, row } of this.waiting) this.check(event, body, row);
    this.waiting = [];
  }

  /** What the description promises, and the stream did not bring. `at`: where the description stands. */
  missing(at: number): Fault[] {
    return (this.known?.devices ?? [])
      .filter(({ name, instanceId }) => !this.described.has(deviceKey(name, instanceId)))
      .map(({ name, instanceId }) =>
        streamFault(
          SCHEMA,
          "missing",
          "description",
          at,
          `the description has a device ${name}, instance ${instanceId}, the stream has not`,
        ),
      );
  }

  /** Keeps what the fields will be read from once the description is known. */
  private wait(event: SectionEvent, row: Row): void {
    const { body } = event;
    const kept =
      body !== undefined && this.waitingBytes + body.length <= MAX_WAITING ? body.slice() : undefined;
    this.waitingBytes += kept?.length ?? 0;
    this.waiting.push({ event: { ...event, body: undefined }, body: kept, row });
  }

  private check(event: SectionEvent, body: Uint8Array | undefined, row: Row): void {
    const faults: Fault[] = [];
    const { name, instanceId, versionId } = event;
    const state = this.states?.get(deviceKey(name, instanceId));
    const section: VirtioSection = { name, versionId, machine: this.machine };
    if (this.states === undefined && !readsUndescribed(name)) {
      const read = this.borrowed?.fields(event, body, section, this.mode !== "checked");
      const { fields, virtio } = read ?? {};
      this.report({ event, row, fields, lent: undefined, faults, note: undefined, virtio });
      return;
    }
    if (this.states !== undefined && state === undefined) {
      const detail = `the description has no device ${name}, instance ${instanceId}`;
      faults.push(streamFault(SCHEMA, "missing", name, event.at, detail));
    } else if (state !== undefined) {
      this.described.add(deviceKey(name, instanceId));
      checkVersion(event, state, faults);
    }
    this.read(event, body, row, state, faults);
  }

  /** Reads the body, as `state` describes it or as virtio devices lay it out, and reports the device. */
  private read(
    event: SectionEvent,
    body: Uint8Array | undefined,
    row: Row,
    state: StateDescription | undefined,
    faults: Fault[],
  ): void {
    const { name, versionId } = event;
    const section: VirtioSection = { name, versionId, machine: this.machine };
    const virtio = new VirtioFields(section);
    let fields: readonly Node[] | undefined;
    let lent: LentFields | undefined;
    let nodes: readonly Node[] | undefined;
    let note: string | undefined;
    if (body !== undefined) {
      const visitor = this.visitorFor(event);
      const left = walkBody(event, body, state, virtio, visitor);
      faults.push(...visitor.faults);
      if (left !== undefined && event.bound !== "none") faults.push(trailing(event, left));
      const again = (other: Visitor): void => {
        walkBody(event, body, state, new VirtioFields(section), other);
      };
      if (visitor instanceof TreeBuilder) nodes = visitor.roots;
      else if (faults.length > 0) {
        // Without its fields, the faults of what is damaged have no place.
        const tree = treeFor(event);
        again(tree);
        nodes = tree.roots;
      } else if (visitor instanceof SizeCollector) {
        const { bodyAt } = event;
        lent = { base: bodyAt, meaningOf: meaningIn(event), sizes: visitor.sizes, walk: again };
      }
      if (this.mode !== "checked") fields = nodes;
    } else if (state !== undefined) note = checkSize(event, state, faults);
    const place = { path: row.path, fields: nodes, attributes: ["version_id"] };
    const inPlace = faults.map((fault) => placed(fault, name, place));
    this.report({ event, row, fields, lent, faults: inPlace, note, virtio: virtio.located });
  }

  private visitorFor(event: SectionEvent): FaultyVisitor {
    if (this.mode === "checked") return new FaultCollector();
    return this.mode === "lent" ? new SizeCollector() : treeFor(event);
  }
}

type FaultyVisitor = Visitor & { readonly faults: readonly Fault[] };

function treeFor(event: SectionEvent): TreeBuilder {
  return new TreeBuilder(event.bodyAt, meaningIn(event));
}

function meaningIn({ name }: SectionEvent): MeaningOf | undefined {
  const device = virtioDeviceOf(name);
  return device && featureMeaning(device.id);
}

/** The reader where its fields end, when all of them could be read and bytes are left over. */
function walkBody(
  { name, bodyAt }: SectionEvent,
  body: Uint8Array,
  state: StateDescription | undefined,
  virtio: VirtioFields,
  visitor: Visitor,
): Reader | undefined {
  if (state === undefined && !readsUndescribed(name)) return undefined;
  const reader = new Reader(body, { base: bodyAt });
  const readable =
    state === undefined
      ? virtio.all(reader, visitor, name)
      : walkState(reader, state, visitor, name, virtio.look);
  return readable && reader.at !== reader.end ? reader : undefined;
}

function trailing({ name, bodyAt }: SectionEvent, { at, end }: Reader): Fault {
  const detail = `${end - at} bytes more than its fields take`;
  return streamFault(SCHEMA, "trailing", name, bodyAt + at, detail);
}

/** What is in the section is known without a description. */
function readsUndescribed(name: string): boolean {
  return virtioDeviceOf(name) !== undefined || undescribedSection(name) !== undefined;
}

function checkVersion(event: SectionEvent, state: StateDescription, faults: Fault[]): void {
  if (state.version === undefined || state.version === event.versionId) return;
  const detail = `version ${event.versionId}, described as ${state.version}`;
  faults.push(streamFault(SCHEMA, "constraint", `${event.name}.version_id`, event.at, detail));
}

/** A body too large to keep has a size at least. */
function checkSize(event: SectionEvent, state: StateDescription, faults: Fault[]): string | undefined {
  const size = describedSize(state);
  if (size === undefined || size === event.bodySize) {
    return `${event.name} is too large (${event.bodySize} bytes) for its fields to be read`;
  }
  const detail = `a state of ${event.bodySize} bytes, described as ${size}`;
  faults.push(streamFault(SCHEMA, "constraint", event.name, event.bodyAt, detail));
  return undefined;
}
