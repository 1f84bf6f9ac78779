/** The numbers of the sections of a stream: which have been given to whom, and which are open for further parts. */
import type { QemuVmSectionHeader } from "../../../generated/qemu/stream.js";
import type { Fault } from "../../runtime/index.js";
import { qemuFault } from "./faults.js";
import { liveVersion } from "./handlers.js";

/** The loader keeps 8 bits of some versions; none in use comes near this. */
const MAX_VERSION = 0xffff;
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
  private readonly known = new Map<number, Section>();
  private hasLive = false;
  private hasRam = false;

  isLive(id: number): boolean {
    return this.live.has(id);
  }

  isKnown(id: number): boolean {
    return this.known.has(id);
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

  /** Another part of a live section; its last, when `isEnd`. Undefined when there is no such section. */
  reopen(id: number, isEnd: boolean): Section | undefined {
    const section = this.live.get(id);
    if (isEnd) this.live.delete(id);
    return section;
  }

  /** What the end of the stream, at `start`, leaves open. */
  checkEnd(start: number, fault: (fault: Fault) => void): void {
    if (!this.hasRam && this.hasLive) {
      const detail = "the stream has live sections, but not that of guest memory";
      fault(qemuFault("missing", "ram", start, detail));
    }
    for (const { id, name } of this.live.values()) {
      fault(qemuFault("missing", name, start, `EOF while section ${id} has not ended`));
    }
  }

  private number(
    start: number,
    phase: "start" | "full",
    section: Section,
    fault: (fault: Fault) => void,
  ): void {
    const path = `${section.name}.section_id`;
    const other = this.known.get(section.id);
    if (other !== undefined) {
      // A handler that is live may write a FULL section at the end, under the number it has.
      if (phase === "start" || other.name !== section.name || other.instanceId !== section.instanceId) {
        const detail = `${other.name} has the number ${section.id} already`;
        fault(qemuFault("constraint", path, start, detail));
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
    this.hasLive = true;
    if (name !== "ram") return;
    this.hasRam = true;
    if (instanceId !== 0) {
      fault(qemuFault("constraint", "ram.instance_id", start, `instance ${instanceId}, there is only 0`));
    }
  }
}
