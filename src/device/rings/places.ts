/** Where the fields of a ring lie, asked of the schema's own walk. */
import type { Site, Visitor } from "../../runtime/index.js";

/**
 * Offsets by name of the fields that a walk reports; of an array, that of its first element. `walk` gets the visitor
 * and must walk a value that begins at index 0.
 */
export function fieldOffsets(walk: (visitor: Visitor) => boolean): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  const note = (site: Site, at: number): void => {
    if (!offsets.has(site.name)) offsets.set(site.name, at);
  };
  walk({
    open: (site, _index, at) => note(site, at),
    close: () => {},
    field: (site, _index, at) => note(site, at),
    fault: () => {},
  });
  return offsets;
}

/** Throws when the schema has no such field: a mistake of this project, not of the guest. */
export function offsetOf(offsets: ReadonlyMap<string, number>, name: string): number {
  const offset = offsets.get(name);
  if (offset === undefined) throw new Error(`the schema of the ring has no field ${name}`);
  return offset;
}
