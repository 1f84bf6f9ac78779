/** Faults that no single field of a schema is to blame for: the parts of a stream do not fit together. */
import type { Fault, FaultCode } from "../runtime/index.js";

export function streamFault(
  schema: string,
  code: FaultCode,
  path: string,
  offset: number,
  detail: string | undefined,
  need?: number,
  had?: number,
): Fault {
  return { code, path, offset, need, had, detail, schema };
}

/** The fault of something nested, under the name that it has out here. */
export function under(name: string, fault: Fault): Fault {
  if (fault.path === "") return { ...fault, path: name };
  return { ...fault, path: fault.path.startsWith("[") ? name + fault.path : `${name}.${fault.path}` };
}
