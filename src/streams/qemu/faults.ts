/** Faults of a migration stream that no single field of its schema is to blame for. */
import type { Fault, FaultCode } from "../../runtime/index.js";
import { streamFault } from "../faults.js";

export function qemuFault(
  code: FaultCode,
  path: string,
  at: number,
  detail: string | undefined,
  need?: number,
  had?: number,
): Fault {
  return streamFault("qemu/stream.wire", code, path, at, detail, need, had);
}
