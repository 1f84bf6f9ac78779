/**
 * Takes the elements of a stream one by one as their bytes arrive. An element that is wrong inside a range of its own (a
 * TLV whose value does not fit its length, say) is passed over by that range, so that those behind it are still read.
 */
import type { Fault, Reader, Visitor } from "../runtime/index.js";
import { streamFault } from "./faults.js";

export interface ElementCodec {
  /** A generated scan of one element. */
  readonly scan: (reader: Reader) => boolean;
  /** A generated walk of the same. */
  readonly walk: (reader: Reader, visitor: Visitor) => boolean;
  /** For the fault of an element that is too large. */
  readonly schema: string;
}

export type ElementStep =
  /** An element ends where the cursor is now; `faults` says what is wrong inside. */
  | { readonly kind: "element"; readonly faults: readonly Fault[] }
  /** The cursor has not moved: so many bytes from it on are needed. `lacking` says for what. */
  | { readonly kind: "wanted"; readonly bytes: number; readonly lacking: Fault }
  /** Where the next element begins cannot be known. */
  | { readonly kind: "stuck"; readonly fault: Fault };

/** The largest element that is gathered, in bytes. */
const MAX_ELEMENT = 16 << 20;

/** `path` names the element in faults, e.g. `fields[3]`. */
export function takeElement(reader: Reader, codec: ElementCodec, path: string): ElementStep {
  const { at, end, depth } = reader;
  if (codec.scan(reader)) return { kind: "element", faults: [] };
  const fault = inside(path, reader.fault as Fault);
  const { wanted } = reader;
  reader.rewind(at, end, depth);
  if (fault.code === "truncated") {
    if (wanted - at <= MAX_ELEMENT) return { kind: "wanted", bytes: wanted - at, lacking: fault };
    const detail = `${wanted - at} bytes, the cap is ${MAX_ELEMENT}`;
    return { kind: "stuck", fault: streamFault(codec.schema, "limit", path, fault.offset, detail) };
  }
  const faults: Fault[] = [];
  const whole = codec.walk(reader, {
    open: () => {},
    close: () => {},
    field: () => {},
    fault: (one) => faults.push(inside(path, one)),
  });
  if (!whole || reader.at <= at) {
    reader.rewind(at, end, depth);
    return { kind: "stuck", fault };
  }
  return { kind: "element", faults: faults.length === 0 ? [fault] : faults };
}

function inside(path: string, fault: Fault): Fault {
  if (fault.path === "") return { ...fault, path };
  return { ...fault, path: `${path}${fault.path.startsWith("[") ? "" : "."}${fault.path}` };
}
