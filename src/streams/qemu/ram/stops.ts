/** Why the reading of the section `ram` stops, and the faults that it stops with. */
import type { Fault, FaultCode, Reader } from "../../../runtime/index.js";
import { streamFault, under } from "../../faults.js";

const SCHEMA = "qemu/ram.wire";

/** Why reading stopped: more bytes are wanted, the part is over, or it is damaged. */
export type RamStop =
  | { readonly kind: "wanted"; readonly bytes: number; readonly lacking: Fault }
  | { readonly kind: "done" }
  | { readonly kind: "fault"; readonly fault: Fault };

export const DONE: RamStop = { kind: "done" };

/** After a scan that failed: more bytes are needed, or they are wrong. Puts the cursor back to `at`. */
export function short(reader: Reader, at: number, path: string): RamStop {
  const fault = under(`ram.${path}`, reader.fault as Fault);
  reader.at = at;
  if (fault.code !== "truncated") return { kind: "fault", fault };
  return { kind: "wanted", bytes: reader.wanted - at, lacking: fault };
}

export function lacks(reader: Reader, bytes: number, path: string, need: number): RamStop {
  const fault = ramFault(reader, reader.at, "truncated", undefined, path, need, reader.end - reader.at);
  return { kind: "wanted", bytes, lacking: fault };
}

export function wrong(reader: Reader, at: number, code: FaultCode, detail: string): RamStop {
  reader.at = at;
  return { kind: "fault", fault: ramFault(reader, at, code, detail) };
}

function ramFault(
  reader: Reader,
  at: number,
  code: FaultCode,
  detail: string | undefined,
  path = "record",
  need?: number,
  had?: number,
): Fault {
  return streamFault(SCHEMA, code, `ram.${path}`, reader.base + at, detail, need, had);
}
