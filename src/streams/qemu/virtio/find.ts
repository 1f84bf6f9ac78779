/** Finds virtio devices in a migration stream, one or all: their sections, and what says how long those are. */
import { type Fault, Reader } from "../../../runtime/index.js";
import type { Description } from "../description.js";
import type { QemuEvent, SectionEvent } from "../events.js";
import { QemuStreamParser } from "../parser.js";
import { virtioDeviceOf } from "./devices.js";
import { locateVirtioSection, type VirtioSection } from "./locate.js";

/** From the start of the stream, in bytes. */
export interface StreamPlace {
  readonly at: number;
  readonly size: number;
}

export interface FoundDevice {
  /** What `decodeVirtioState` needs to know. */
  readonly section: VirtioSection;
  readonly instanceId: number;
  /** The field `virtio`. */
  readonly place: StreamPlace;
  readonly bytes: Uint8Array;
  /** Bytes that the section has behind it. */
  readonly behind: number;
}

/** A package of records: its length stands in the command in front of it. */
export interface StreamPackage {
  readonly command: StreamPlace;
  readonly place: StreamPlace;
}

/** Names that are kept to be shown. */
const MAX_NAMES = 1000;
/** Of states that are kept: a device takes 50 KB, one with a thousand requests in flight 50 MB. */
const MAX_BYTES = 1 << 28;

/** Pushed the chunks of a stream. */
export class VirtioDeviceFinder {
  /** The names of the virtio devices, `#1` and so on behind further ones of the same name. */
  readonly names: string[] = [];
  readonly packages: StreamPackage[] = [];
  /** The first one. */
  fault: Fault | undefined;
  /** The record with the description. */
  description: StreamPlace | undefined;
  /** Pages lie at places that the stream names, up to here. 0: they do not. */
  mappedEnd = 0;
  /** What the configuration of the stream says. */
  machine: string | undefined;
  private readonly wanted: string | undefined;
  private readonly parser: QemuStreamParser;
  private readonly found: FoundDevice[] = [];
  private left = MAX_BYTES;
  private isMapped = false;
  private command: StreamPlace | undefined;

  /**
   * `wanted`: the name of a section, or one half of it: `0000:00:02.0/virtio-net`, `virtio-net`, `0000:00:02.0`. All when
   * undefined.
   */
  constructor(wanted: string | undefined, description: Description | undefined) {
    this.wanted = wanted;
    this.parser = new QemuStreamParser((event) => this.take(event), { description });
  }

  push(chunk: Uint8Array): void {
    this.parser.push(chunk);
  }

  end(): void {
    this.parser.end();
  }

  /** Those that the name fits: more than one, or none, is for the user to put right. */
  get devices(): readonly FoundDevice[] {
    const exact = this.found.filter((one) => nameOf(one.section.name, one.instanceId) === this.wanted);
    return exact.length > 0 ? exact : this.found;
  }

  private take(event: QemuEvent): void {
    switch (event.kind) {
      case "configuration":
        this.machine = event.machine;
        this.isMapped = event.capabilities.includes("mapped-ram");
        break;
      case "command":
        if (event.command.data.body.case === "migCmdPackaged") this.command = placeOf(event);
        break;
      case "package-begin":
        if (this.command !== undefined) this.packages.push({ command: this.command, place: placeOf(event) });
        break;
      case "section":
        this.section(event);
        break;
      case "description":
        this.description = placeOf(event);
        break;
      case "fault":
        this.fault ??= event.fault;
        break;
      default:
        break;
    }
  }

  private section(event: SectionEvent): void {
    const { name, instanceId, versionId, body, at, size, bodyAt, complete } = event;
    if (name === "ram" && this.isMapped) this.mappedEnd = Math.max(this.mappedEnd, at + size);
    if (virtioDeviceOf(name) === undefined) return;
    const full = nameOf(name, instanceId);
    if (this.names.length < MAX_NAMES) this.names.push(full);
    if (body === undefined || !complete || !fits(full, this.wanted) || this.left < body.length) return;
    this.left -= body.length;
    const section = { name, versionId, machine: this.machine };
    const [state] = locateVirtioSection(new Reader(body), section).pieces;
    if (state === undefined) return;
    this.found.push({
      section,
      instanceId,
      place: { at: bodyAt + state.at, size: state.end - state.at },
      bytes: body.slice(state.at, state.end),
      behind: body.length - state.end,
    });
  }
}

function nameOf(name: string, instanceId: number): string {
  return instanceId === 0 ? name : `${name}#${instanceId}`;
}

function fits(name: string, wanted: string | undefined): boolean {
  return (
    wanted === undefined || name === wanted || name.endsWith(`/${wanted}`) || name.startsWith(`${wanted}/`)
  );
}

function placeOf({ at, size }: StreamPlace): StreamPlace {
  return { at, size };
}
