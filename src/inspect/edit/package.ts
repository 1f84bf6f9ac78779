/** A package of records announces how long it is, in a command in front of it. */
import { encodeQemuVmRecord, readQemuVmRecord } from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";

/** The command with another length; what is no such command stays as it is. */
export function withPackageLength(command: Uint8Array, length: number): Uint8Array {
  const record = readQemuVmRecord(new Reader(command));
  const { head } = record;
  if (head.case !== "command" || head.value.data.body.case !== "migCmdPackaged") return command;
  const data = { ...head.value.data, body: { case: "migCmdPackaged" as const, value: { length } } };
  return encodeQemuVmRecord({ ...record, head: { case: "command", value: { ...head.value, data } } });
}
