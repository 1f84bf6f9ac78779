/** How commands and machine identities of a QEMU stream are written for people. */
import { QemuVmCmd } from "../../../generated/qemu/stream.js";

const COMMAND_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(QemuVmCmd).map(([name, value]) => [Number(value), name]),
);

export function commandName(cmd: number): string {
  return COMMAND_NAMES.get(cmd) ?? `command ${cmd}`;
}

export function uuidText(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
