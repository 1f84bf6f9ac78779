import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { withoutDevices } from "../../../src/inspect/edit/description.js";

interface Described {
  readonly devices: readonly { readonly name: string; readonly instance_id: number }[];
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

describe("a description without some devices", () => {
  it.each([
    [
      "the first",
      ["a"],
      '{"page_size": 4096, "devices": [{"name": "b", "instance_id": 1}, {"name": "c", "instance_id": 0}]}',
    ],
    [
      "one between",
      ["b"],
      '{"page_size": 4096, "devices": [{"name": "a", "instance_id": 0, "x": [1, {"name": "b"}]}, {"name": "c", "instance_id": 0}]}',
    ],
    [
      "the last",
      ["c"],
      '{"page_size": 4096, "devices": [{"name": "a", "instance_id": 0, "x": [1, {"name": "b"}]}, {"name": "b", "instance_id": 1}]}',
    ],
    ["all", ["a", "b", "c"], '{"page_size": 4096, "devices": []}'],
    [
      "none",
      ["d"],
      '{"page_size": 4096, "devices": [{"name": "a", "instance_id": 0, "x": [1, {"name": "b"}]}, {"name": "b", "instance_id": 1}, {"name": "c", "instance_id": 0}]}',
    ],
  ])("%s", (_, names, expected) => {
    const whole =
      '{"page_size": 4096, "devices": [{"name": "a", "instance_id": 0, "x": [1, {"name": "b"}]}, {"name": "b", "instance_id": 1}, {"name": "c", "instance_id": 0}]}';
    const { text: result } = withoutDevices(Buffer.from(whole), ({ name }) => names.includes(name));
    expect(text(result)).toBe(expected);
  });

  it("keeps the text of a real one as it is, but for the entry", () => {
    const file = readFileSync("test/captures/x86-q35-net-blk.bin");
    const whole = file.subarray(file.lastIndexOf('{"configuration"'));
    const before = JSON.parse(text(whole)) as Described;
    for (const { name, instance_id } of before.devices) {
      const { text: result, dropped } = withoutDevices(
        whole,
        (device) => device.name === name && device.instanceId === instance_id,
      );
      expect(dropped).toBe(1);
      const after = JSON.parse(text(result)) as Described;
      expect(after.devices).toEqual(
        before.devices.filter((device) => device.name !== name || device.instance_id !== instance_id),
      );
      // One piece is gone: what is left are a beginning and an end of the whole.
      let same = 0;
      while (same < result.length && result[same] === whole[same]) same++;
      expect(text(whole).endsWith(text(result.subarray(same)))).toBe(true);
    }
  });
});
