/** What a fault is, in words: its code and its detail are for programs, and mean little to who has to find the cause. */
import type { Fault } from "../runtime/index.js";
import { type FaultList, hex, printable } from "./report.js";

/** "3 faults, the first at 0x40: section x: …", or what to say when there is none. */
export function verdictOf(faults: FaultList, clean: string): string {
  const [first] = faults.faults;
  if (first === undefined) return clean;
  const lowest = faults.faults.reduce((a, b) => (b.offset < a.offset ? b : a), first);
  const count = faults.count === 1 ? "1 fault" : `${faults.count} faults, the first`;
  return `damaged: ${count} at ${hex(lowest.offset)}: ${describeFault(lowest)}`;
}

/** `ram.record: no record has …`: a fault without its offset. */
export function describeFault(fault: Fault): string {
  const [, where = "", detail = ""] = /^(in [^:]+: )?(.*)$/s.exec(fault.detail ?? "") ?? [];
  const size = sizeText(fault);
  const wording = wordingOf(fault, detail) || (size === "" && fault.code !== "truncated" ? fault.code : "");
  const parts = [fault.code === "truncated" ? fault.code : "", size, `${where}${wording}`];
  return printable(`${fault.path || "value"}: ${parts.filter((part) => part !== "").join(": ")}`);
}

/** The detail of a fault in a field that has no path of its own: `rest` leads there from where the fault's path ends. */
export function detailIn(rest: string, { detail, code, need }: Fault): string | undefined {
  if (rest === "") return detail;
  // A fault that says nothing else says its code, in front of which the place is no sentence.
  const isSilent = detail === undefined && (need !== undefined || code === "truncated");
  return isSilent ? `in ${rest}` : `in ${rest}: ${detail ?? ""}`;
}

function sizeText({ need, had }: Fault): string {
  return need === undefined ? "" : `needs ${need} ${need === 1 ? "byte" : "bytes"}, has ${had}`;
}

/** Generated code says which line of the schema it was made from, and gives a code with a bare expression or number. */
function wordingOf({ code, schema, need }: Fault, detail: string): string {
  if (!/:\d+$/.test(schema)) return detail;
  switch (code) {
    case "constraint":
      return `breaks the rule ${detail}`;
    case "tag":
    case "enum":
      return /^\d+$/.test(detail) ? `no such value: ${detail} (0x${BigInt(detail).toString(16)})` : detail;
    case "reserved":
      return "reserved, and not zero";
    case "range":
      return detail === "" ? "more than 2^53 − 1" : detail;
    case "trailing":
      return detail === "" ? "bytes are left over behind it" : detail;
    case "overrun":
      return need === undefined
        ? detail
        : ["more than what holds it", detail].filter((part) => part !== "").join(": ");
    default:
      return detail;
  }
}
