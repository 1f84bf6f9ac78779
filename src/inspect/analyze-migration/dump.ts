/**
 * What QEMU's analyze-migration.py prints for a stream, byte for byte, so that scripts which read its output can move
 * over. Where the script stops (no seeking on a pipe, an unknown command, a section that it has no class for, damage),
 * this goes on with what can be read, and the faults say what cannot.
 */
import { type Fault, Reader } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import type { Description } from "../../streams/qemu/description.js";
import type { DescriptionEvent, QemuEvent, SectionEvent } from "../../streams/qemu/events.js";
import { JsonObject, readJson } from "../../streams/qemu/json.js";
import { QemuStreamParser } from "../../streams/qemu/parser.js";
import { asPrinted, type Printed, writeMember, writePrinted } from "./python-json.js";
import { readScriptState } from "./state.js";

const SCHEMA = "vmdescription";
/** Bodies wait for the description at the end of the stream; together they are kept up to this many bytes. */
const MAX_BODIES = 256 << 20;
/** The live handlers that the script has a class for, and prints nothing of. */
const SILENT: ReadonlySet<string> = new Set(["s390-storage_attributes", "spapr/htab"]);

export type DumpPart = "state" | "desc";

export interface DumpSummary {
  /** In the order found. */
  readonly faults: readonly Fault[];
  /** Sections that are whole, but that the script has no way to print. */
  readonly unprinted: readonly string[];
}

interface Kept {
  readonly event: SectionEvent;
  readonly body: Uint8Array | undefined;
}

export class MigrationDump {
  private readonly parser: QemuStreamParser;
  private readonly part: DumpPart;
  private readonly faults: Fault[] = [];
  /** The latest section of each number, in the order in which the numbers first came up. */
  private readonly sections = new Map<number, Kept>();
  private bytes = 0;
  private size = 0;
  private description: JsonObject | undefined;

  /** `description`: bounds the sections when it was found before the stream is read. */
  constructor(part: DumpPart, description: Description | undefined) {
    this.part = part;
    this.parser = new QemuStreamParser((event) => this.take(event), { description, maxBody: MAX_BODIES });
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  /** The input is over: writes everything. Without a description in the stream there is nothing to write. */
  end(write: (text: string) => void): DumpSummary {
    this.parser.end();
    const { description } = this;
    const unprinted: string[] = [];
    if (description === undefined) {
      const detail = "no description is in this stream: it names the fields, and the script needs it";
      this.faults.push(streamFault(SCHEMA, "missing", "vmdescription", this.size, detail));
    } else if (this.part === "desc") {
      writePrinted(asPrinted(description), write);
      write("\n");
    } else {
      unprinted.push(...this.writeState(description, write));
    }
    return { faults: this.faults, unprinted };
  }

  private take(event: QemuEvent): void {
    if (event.kind === "fault") this.faults.push(event.fault);
    else if (event.kind === "section") this.keep(event);
    else if (event.kind === "description") this.describe(event);
  }

  private keep(event: SectionEvent): void {
    if (this.part === "desc" || event.phase === "part" || event.phase === "end") return;
    const { body } = event;
    const isKept = body !== undefined && this.bytes + body.length <= MAX_BODIES;
    if (isKept) this.bytes += body.length;
    this.sections.set(event.sectionId, {
      event: { ...event, body: undefined },
      body: isKept ? body.slice() : undefined,
    });
  }

  private describe({ text, textAt }: DescriptionEvent): void {
    if (text === undefined) return;
    const json = readJson(text);
    if ("problem" in json) {
      const { at, detail } = json.problem;
      this.faults.push(streamFault(SCHEMA, "constraint", "vmdescription", textAt + at, detail));
    } else if (json.value instanceof JsonObject) {
      this.description = json.value;
    }
  }

  private writeState(description: JsonObject, write: (text: string) => void): string[] {
    const states = statesOf(description);
    const unprinted: string[] = [];
    write("{");
    let isFirst = true;
    for (const [id, kept] of this.sections) {
      const value = this.printed(kept, states);
      if (value === undefined) {
        unprinted.push(kept.event.name);
        continue;
      }
      writeMember(`${kept.event.name} (${id})`, value, isFirst, write, 1);
      isFirst = false;
    }
    write(isFirst ? "}\n" : "\n}\n");
    return unprinted;
  }

  private printed({ event, body }: Kept, states: ReadonlyMap<string, JsonObject>): Printed | undefined {
    const { name, instanceId, bodyAt } = event;
    if (event.ram !== undefined) return this.blocks();
    const state = states.get(keyOf(name, instanceId));
    if (state === undefined) return SILENT.has(name) && instanceId === 0 ? "" : undefined;
    if (body === undefined) return undefined;
    const { value, problem } = readScriptState(new Reader(body), state);
    if (problem !== undefined) {
      const path = problem.path === "" ? name : `${name}.${problem.path}`;
      this.faults.push(streamFault(SCHEMA, "constraint", path, bodyAt + problem.at, problem.detail));
    }
    return value;
  }

  private blocks(): Printed {
    const sizes = [...this.parser.ram.blocks.values()].map(({ name, usedLength }): [string, Printed] => [
      name,
      `0x${usedLength.toString(16).padStart(16, "0")}`,
    ]);
    return new Map<string, Printed>([["section sizes", new Map(sizes)]]);
  }
}

function statesOf(description: JsonObject): ReadonlyMap<string, JsonObject> {
  const states = new Map<string, JsonObject>();
  const devices = description.get("devices");
  for (const device of Array.isArray(devices) ? devices : []) {
    if (!(device instanceof JsonObject)) continue;
    const name = device.get("name");
    const instanceId = device.get("instance_id");
    if (typeof name === "string" && typeof instanceId === "number")
      states.set(keyOf(name, instanceId), device);
  }
  return states;
}

function keyOf(name: string, instanceId: number): string {
  return `${instanceId} ${name}`;
}
