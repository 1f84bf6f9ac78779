/** What the operating system refuses, in the words of a person: which file or address, and why. */
import { getSystemErrorMap } from "node:util";

/** Undefined: the error is not one of the system's, but a mistake of ours. */
export function systemErrorText(error: unknown): string | undefined {
  // Node tries all addresses of a name, and bundles what it was told: the first says as much as any.
  if (error instanceof AggregateError) return systemErrorText(error.errors[0]);
  if (!(error instanceof Error && "syscall" in error)) return undefined;
  const known =
    "errno" in error && typeof error.errno === "number" ? getSystemErrorMap().get(error.errno) : undefined;
  const place = placeOf(error);
  if (known === undefined || place === undefined) return error.message;
  return `${place}: ${known[1]}`;
}

/** The file, or the address. An error that has neither names its system call, in its message. */
function placeOf(error: object): string | undefined {
  if ("path" in error) return String(error.path);
  if ("address" in error) {
    // Of a UNIX socket, the address is its path, and Node counts its port as −1.
    const isNumbered = "port" in error && typeof error.port === "number" && error.port >= 0;
    return isNumbered ? `${error.address}:${error.port}` : String(error.address);
  }
  return "hostname" in error ? String(error.hostname) : undefined;
}
