/** The numbers of the sections of a stream: which have been given to whom, and which are open for further parts. */
import type { QemuVmSectionHeader } from "../../../generated/qemu/stream.js";
import type { Fault } from "../../runtime/index.js";
import { qemuFault } from "./faults.js";
import { liveVersion } from "./handlers.js";

/** The loader keeps 8 bits of some versions; none in use comes near this. */
const MAX_VERSION = 0xff;
/** Ids beyond this are an attack on memory. */
const MAX_SECTIONS = 1 << 16;

export interface Section {
  readonly id: number;
  readonly name: string;
  readonly instanceId: number;
  readonly versionId: number;
}

export class SectionNumbers {
  private readonly live = new Map<number, Section>();
  /** Every section that was live, for COLO. */
  private readonly begun = new Map<number, Section>();
  private readonly known = new Map<number, Section>();
  private started = 0;
  /** The section that ended last. */
  private ended: Section | undefined;
  private hasRam = false;

  isLive(id: number): boolean {
    return this.live.has(id);
  }

  isKnown(id: number): boolean {
    return this.known.has(id);
  }

  get hasBegun(): boolean {
    return this.known.size > 0;
  }

  isRepeated({ sectionId, idstr, instanceId, versionId }: QemuVmSectionHeader): boolean {
    const known = this.known.get(sectionId);
    return known?.name === idstr.text && known.instanceId === instanceId && known.versionId === versionId;
  }

  /** A section begins at `start`. */
  open(
    start: number,
    phase: "start" | "full",
    header: QemuVmSectionHeader,
    fault: (fault: Fault) => void,
  ): Section {
    const section: Section = {
      id: header.sectionId,
      name: header.idstr.text,
      instanceId: header.instanceId,
      versionId: header.versionId,
    };
    if (section.versionId > MAX_VERSION) {
      const detail = `no state has version ${section.versionId}`;
      fault(qemuFault("constraint", `${section.name}.version_id`, start, detail));
    }
    this.number(start, phase, section, fault);
    if (phase === "start") this.startLive(start, section, fault);
    return section;
  }

  /** Sections that have been started in a stream before this one. */
  adopt(sections: readonly Section[]): void {
    for (const section of sections) {
      this.live.set(section.id, section);
      this.known.set(section.id, section);
      this.started++;
      this.hasRam ||= section.name === "ram";
    }
  }

  /** Those that may have further parts. */
  get unfinished(): readonly Section[] {
    return [...this.live.values()];
  }

  /** Another part of a live section; its last, when `isEnd`. Undefined when there is no such section. */
  reopen(id: number, isEnd: boolean): Section | undefined {
    const section = this.live.get(id);
    if (isEnd) {
      this.live.delete(id);
      this.ended = section;
    }
    return section;
  }

  /** The last part of a section did not come to its end: there will be another. */
  revive(): void {
    if (this.ended !== undefined) this.live.set(this.ended.id, this.ended);
    this.ended = undefined;
  }

  /** A checkpoint begins: every live section may have another last part. */
  reopenAll(): void {
    for (const [id, section] of this.begun) this.live.set(id, section);
  }

  /**
   * What the end of the stream, at `start`, leaves open. True when that is every live section: a background snapshot ends
   * none, and does not announce the switch-over either. `switched`: that was announced.
   */
  checkEnd(start: number, switched: boolean, fault: (fault: Fault) => void): boolean {
    if (!this.hasRam && this.started > 0) {
      const detail = "the stream has live sections, but not that of guest memory";
      fault(qemuFault("missing", "ram", start, detail));
    }
    if (this.started > 0 && this.live.size === this.started && !switched) return true;
    for (const { id, name } of this.live.values()) {
      fault(qemuFault("missing", name, start, `EOF while section ${id} has not ended`));
    }
    return false;
  }

  private number(
    start: number,
    phase: "start" | "full",
    section: Section,
    fault: (fault: Fault) => void,
  ): void {
    const path = `${section.name}.section_id`;
    if (section.id >= MAX_SECTIONS) {
      fault(qemuFault("constraint", path, start, `no stream has ${section.id} sections`));
    }
    const other = this.known.get(section.id);
    if (other !== undefined) {
      // A handler that is live may write a FULL section at the end, under the number it has.
      if (phase === "start" || other.name !== section.name || other.instanceId !== section.instanceId) {
        const detail = `${other.name} has the number ${section.id} already`;
        fault(qemuFault("constraint", path, start, detail));
      } else if (other.versionId !== section.versionId) {
        const detail = `version ${section.versionId}, the same section had ${other.versionId} before`;
        fault(qemuFault("constraint", `${section.name}.version_id`, start, detail));
      }
    } else if (this.known.size === MAX_SECTIONS) {
      fault(qemuFault("limit", path, start, `more than ${MAX_SECTIONS} sections`));
    } else {
      this.known.set(section.id, section);
    }
  }

  private startLive(start: number, section: Section, fault: (fault: Fault) => void): void {
    const { name, versionId, instanceId } = section;
    const version = liveVersion(name);
    if (version === undefined) {
      fault(qemuFault("tag", `${name}.idstr`, start, "no live section has this name"));
    } else if (version !== versionId) {
      const detail = `version ${versionId}, only ${version} is known`;
      fault(qemuFault("constraint", `${name}.version_id`, start, detail));
    }
    if (this.live.size < MAX_SECTIONS) this.live.set(section.id, section);
    if (this.begun.size < MAX_SECTIONS) this.begun.set(section.id, section);
    this.started++;
    if (name !== "ram") return;
    this.hasRam = true;
    if (instanceId !== 0) {
      fault(qemuFault("constraint", "ram.instance_id", start, `instance ${instanceId}, there is only 0`));
    }
  }
}
