import { describe, expect, it } from "vitest";
import { encodeQemuVmRecord, QemuVmCmd, QemuVmSection } from "../../../generated/qemu/stream.js";
import { EditError, EditPlan } from "../../../src/inspect/edit/index.js";
import type { CaptureRecord } from "../../../src/inspect/index.js";
import { member, sectionPath } from "../../../src/inspect/path.js";

function record(given: Partial<CaptureRecord>): CaptureRecord {
  return {
    record: "section",
    name: "x",
    path: [member("x")],
    at: 0,
    size: 0,
    attributes: {},
    fields: undefined,
    faults: [],
    ...given,
  };
}

function section(name: string, at: number, size: number, position = 0): CaptureRecord {
  return record({ name, at, size, path: sectionPath(name, 0, position) });
}

describe("a plan of an edit", () => {
  it("does not move the pages of a mapped-ram file, and does what lies behind them", () => {
    const plan = (): EditPlan => {
      const made = new EditPlan([], ["early"]);
      made.record(
        record({ record: "configuration", name: "q35", attributes: { capabilities: ["mapped-ram"] } }),
      );
      return made;
    };
    const before = plan();
    before.record(section("early", 0x20, 0x10));
    before.record(section("ram", 0x100, 0x200000));
    expect(() => before.patches()).toThrow(EditError);
    const behind = plan();
    behind.record(section("ram", 0x100, 0x200000));
    behind.record(section("early", 0x200100, 0x10));
    expect(behind.patches()).toHaveLength(1);
  });

  it("gives the package around a dropped section its new length", () => {
    const command = (length: number): Uint8Array =>
      encodeQemuVmRecord({
        type: QemuVmSection.QEMU_VM_COMMAND,
        head: {
          case: "command",
          value: {
            cmd: QemuVmCmd.MIG_CMD_PACKAGED,
            data: { body: { case: "migCmdPackaged", value: { length } } },
          },
        },
      });
    const plan = new EditPlan([], ["inside"]);
    plan.record(record({ record: "command", name: "MIG_CMD_PACKAGED", at: 100, size: 9 }));
    plan.record(record({ record: "package-begin", name: "package", at: 109, size: 500 }));
    plan.record(section("inside", 200, 40));
    const [length, dropped] = plan.patches();
    expect(length?.replace?.(command(500))).toEqual(command(460));
    expect(dropped).toEqual({ at: 200, size: 40, replace: undefined });
  });

  it("keeps memory, and sections whose end nobody knows", () => {
    expect(() => new EditPlan([], ["ram"]).record(section("ram", 0, 9))).toThrow(EditError);
    const cut = { ...section("cpu", 0, 9), attributes: { complete: false } };
    expect(() => new EditPlan([], ["cpu"]).record(cut)).toThrow("not whole");
  });
});
