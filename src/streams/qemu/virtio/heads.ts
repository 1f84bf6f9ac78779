/**
 * Heads of subsections. They are what can be recognised inside a state whose layout says nothing of its length: a
 * marker, a name and a version.
 */
import {
  QemuVmSection,
  readQemuVmSubsection,
  scanQemuVmSubsection,
} from "../../../../generated/qemu/stream.js";
import { Reader } from "../../../runtime/index.js";

export interface Head {
  readonly at: number;
  readonly name: string;
  readonly versionId: number;
  readonly bodyAt: number;
}

/** Names of subsections are words with slashes. */
const NAME = /^[a-z][\w.-]*(\/[\w.-]+)+$/i;
/** QEMU keeps the low eight bits. */
const MAX_VERSION = 255;

/** The head that stands at index `at` and ends before the reader's end. */
export function headAt(reader: Reader, at: number): Head | undefined {
  return reader.bytes[at] === QemuVmSection.QEMU_VM_SUBSECTION ? read(probeOf(reader), at) : undefined;
}

function read(probe: Reader, at: number): Head | undefined {
  probe.at = at;
  if (!scanQemuVmSubsection(probe)) return undefined;
  const bodyAt = probe.at;
  probe.at = at;
  const { name, versionId } = readQemuVmSubsection(probe);
  return versionId <= MAX_VERSION ? { at, name: name.text, versionId, bodyAt } : undefined;
}

/** The first head from index `from` on that is one by its looks and that `accepts` its name. */
export function findHead(reader: Reader, from: number, accepts: (name: string) => boolean): Head | undefined {
  const { bytes, end } = reader;
  const probe = probeOf(reader);
  for (
    let at = bytes.indexOf(QemuVmSection.QEMU_VM_SUBSECTION, from);
    at >= 0 && at < end;
    at = bytes.indexOf(QemuVmSection.QEMU_VM_SUBSECTION, at + 1)
  ) {
    const head = read(probe, at);
    if (head !== undefined && isName(head.name) && accepts(head.name)) return head;
  }
  return undefined;
}

export function isName(name: string): boolean {
  return NAME.test(name);
}

/** The caller's cursor stays where it is. */
function probeOf(reader: Reader): Reader {
  return new Reader(reader.view, { base: reader.base }).rewind(reader.at, reader.end, 0);
}
