/** Reads what follows the machine type in the configuration: subsections, as long as there are any. */
import {
  QemuVmSection,
  readQemuConfigurationCapabilities,
  readQemuConfigurationTargetPageBits,
  readQemuConfigurationUuid,
  readQemuVmSubsection,
  scanQemuConfigurationCapabilities,
  scanQemuConfigurationTargetPageBits,
  scanQemuConfigurationUuid,
  scanQemuVmSubsection,
} from "../../../generated/qemu/stream.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { under } from "../faults.js";
import { qemuFault } from "./faults.js";
import { awaited, cut, lost, more, ON, RECORD, type Report, type Step } from "./step.js";

/** Of every subsection of the configuration. */
const CONFIGURATION_VERSION = 1;

export class Configuration {
  private readonly at: number;
  private readonly machine: string;
  private readonly report: Report;
  private targetPageBits: number | undefined;
  private capabilities: string[] = [];
  private uuid: Uint8Array | undefined;

  constructor(at: number, machine: string, report: Report) {
    this.at = at;
    this.machine = machine;
    this.report = report;
  }

  read(reader: Reader): Step {
    const { at } = reader;
    if (at === reader.end && !this.report.ended) return more(1);
    if (at === reader.end || reader.bytes[at] !== QemuVmSection.QEMU_VM_SUBSECTION) {
      this.end(reader);
      return RECORD;
    }
    if (scanQemuVmSubsection(reader) && skim(reader, at)) {
      reader.at = at;
      this.subsection(reader);
      return ON;
    }
    const fault = under("configuration", reader.fault as Fault);
    const wait = awaited(reader, at, fault, this.report.ended);
    if (wait !== undefined) return wait;
    this.end(reader);
    if (fault.code === "truncated") return cut(fault);
    this.report.fault(fault);
    return lost(reader);
  }

  private subsection(reader: Reader): void {
    const start = reader.base + reader.at;
    const { name, versionId } = readQemuVmSubsection(reader);
    if (versionId !== CONFIGURATION_VERSION) {
      const detail = `version ${versionId}, all have ${CONFIGURATION_VERSION}`;
      this.report.fault(qemuFault("constraint", `${name.text}.version_id`, start, detail));
    }
    switch (name.text) {
      case "configuration/target-page-bits":
        this.targetPageBits = readQemuConfigurationTargetPageBits(reader).pageBits;
        break;
      case "configuration/capabilities":
        this.capabilities = readQemuConfigurationCapabilities(reader).capabilities.map(({ text }) => text);
        break;
      case "configuration/uuid":
        this.uuid = readQemuConfigurationUuid(reader).uuid.slice();
        break;
    }
  }

  private end(reader: Reader): void {
    const { at, machine, targetPageBits, capabilities, uuid } = this;
    const size = reader.base + reader.at - at;
    this.report.emit({ kind: "configuration", at, size, machine, targetPageBits, capabilities, uuid });
  }
}

/** Whether the subsection at `at` is whole and sound; its head has been scanned. */
function skim(reader: Reader, at: number): boolean {
  const bodyAt = reader.at;
  reader.at = at;
  const { text } = readQemuVmSubsection(reader).name;
  reader.at = bodyAt;
  switch (text) {
    case "configuration/target-page-bits":
      return scanQemuConfigurationTargetPageBits(reader);
    case "configuration/capabilities":
      return scanQemuConfigurationCapabilities(reader);
    case "configuration/uuid":
      return scanQemuConfigurationUuid(reader);
    default:
      return reader.fail("tag", "", at, "qemu/stream.wire", 0, `unknown subsection ${JSON.stringify(text)}`);
  }
}
