/** Where the registers of a configuration lie, asked of the schema's own walk. */
import type { Visitor } from "../../runtime/index.js";

export interface Register {
  readonly name: string;
  /** In bytes, from the start of the configuration. */
  readonly at: number;
  readonly size: number;
}

/** `walk` gets the visitor, and must walk a configuration that begins at index 0. */
export function registersOf(walk: (visitor: Visitor) => boolean): Register[] {
  const registers: Register[] = [];
  walk({
    open: () => {},
    close: () => {},
    field: ({ name }, _index, at, size) => {
      registers.push({ name, at, size });
    },
    fault: () => {},
  });
  return registers;
}

/** The register that an access lies in completely. */
export function registerAt(registers: readonly Register[], offset: number): Register | undefined {
  return registers.find(({ at, size }) => offset >= at && offset < at + size);
}
