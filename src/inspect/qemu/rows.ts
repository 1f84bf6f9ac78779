/** What the summary tells of the sections: one row for a section with all its parts. */
import type { SectionEvent } from "../../streams/qemu/events.js";
import { elementPath, type Path, sectionPath } from "../path.js";
import type { Table } from "../report.js";
import { hex } from "../report.js";

/** Sections that the summary can tell of: no machine has so many, but a hostile file may. */
export const MAX_ROWS = 1 << 16;

export interface Row {
  readonly id: number;
  readonly name: string;
  readonly path: Path;
  readonly instanceId: number;
  readonly versionId: number;
  readonly at: number;
  size: number;
  parts: number;
  complete: boolean;
  faults: number;
}

export class SectionRows {
  private readonly rows: Row[] = [];
  private readonly latest = new Map<number, Row>();
  private readonly names = new Set<string>();
  private readonly base: Path;
  private begun = 0;

  /** `base`: what the sections stand in. */
  constructor(base: Path = []) {
    this.base = base;
  }

  /** The row that the event belongs to, which now counts it. */
  count(event: SectionEvent): Row {
    const row = this.rowOf(event);
    row.size += event.size;
    row.parts++;
    row.complete = row.complete && event.complete;
    return row;
  }

  get sections(): number {
    return this.rows.length;
  }

  table(): Table {
    const { rows } = this;
    return {
      key: "sections",
      title: "sections",
      columns: [
        { key: "offset", label: "offset", right: true },
        { key: "size", label: "size", right: true },
        { key: "version", label: "version", right: true },
        { key: "name", label: "name" },
      ],
      rows: rows.map((row) => [
        { value: row.at, text: hex(row.at) },
        { value: row.size },
        { value: row.versionId },
        { value: row.name, text: `${row.name}${distinction(row)}` },
      ]),
      weights: rows.map((row) =>
        row.faults > 0 || !row.complete ? Number.POSITIVE_INFINITY : weightOf(row),
      ),
      briefs: rows.map(({ name }) => name),
    };
  }

  private rowOf(event: SectionEvent): Row {
    const known = this.latest.get(event.sectionId);
    if (known !== undefined && (event.phase === "part" || event.phase === "end")) return known;
    const row: Row = {
      id: event.sectionId,
      name: event.name,
      path: this.pathOf(event),
      instanceId: event.instanceId,
      versionId: event.versionId,
      at: event.at,
      size: 0,
      parts: 0,
      complete: true,
      faults: 0,
    };
    if (this.rows.length < MAX_ROWS) this.rows.push(row);
    this.latest.set(event.sectionId, row);
    return row;
  }

  /** A section that is sent once more can only be told from the first by its place. */
  private pathOf({ name, instanceId }: SectionEvent): Path {
    const position = this.begun++;
    const path = [...this.base, ...sectionPath(name, instanceId, position)];
    const key = `${instanceId} ${name}`;
    if (this.names.has(key) || this.names.size === MAX_ROWS) {
      return [...this.base, ...elementPath("sections", position)];
    }
    this.names.add(key);
    return path;
  }
}

function distinction(row: Row): string {
  const parts = row.parts > 1 ? ` (${row.parts} parts)` : "";
  const damage = row.complete ? (row.faults > 0 ? " (damaged)" : "") : " (incomplete)";
  return `${row.instanceId === 0 ? "" : ` #${row.instanceId}`}${parts}${damage}`;
}

/** Memory and virtio first, then by size. */
function weightOf(row: Row): number {
  if (row.name === "ram") return Number.MAX_SAFE_INTEGER;
  return row.size + (/virtio|vhost|vfio/.test(row.name) ? 2 ** 40 : 0);
}
