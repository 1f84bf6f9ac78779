/**
 * Promise 2: one error shape everywhere. Whoever is asked about damaged bytes says the same, with a path in the source's
 * names, an absolute offset, and the line of the schema.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  checkVirtioDevCtx,
  decodeVirtioDevCtx,
  VirtioDevCtxParser,
} from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { formatFault, Reader, WireError } from "../../src/runtime/index.js";
import { inspectBytes } from "../inspect/inspect-bytes.js";
import { deviceContext } from "../streams/wire-bytes.js";
import { refusal } from "./faults.js";
import { messages } from "./messages.js";

const SCHEMAS = new URL("../../schemas/", import.meta.url);
const NET = VirtioDeviceId.VIRTIO_ID_NET;

/** The bytes with one of them changed, for every one and in several ways. */
function* damaged(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) {
    for (const bits of [0x01, 0x80, 0xff]) {
      const copy = bytes.slice();
      copy[at] = (copy[at] ?? 0) ^ bits;
      yield copy;
    }
  }
}

function lineOf(schema: string): string {
  const [file = "", line = ""] = schema.split(":");
  return readFileSync(new URL(file, SCHEMAS), "utf8").split("\n")[Number(line) - 1] ?? "";
}

describe("what is wrong with a damaged byte of", () => {
  it.each(messages)("$name is the same for all, and found in the schema", (message) => {
    let refused = 0;
    for (const bytes of damaged(message.bytes)) {
      const thrown = refusal(message, bytes);
      if (thrown === undefined) continue;
      refused++;
      const { path, schema, code } = JSON.parse(thrown);
      if (path === "") expect(code).toBe("trailing");
      const name = /([\w]+)(?:\[\d+\])*$/.exec(path)?.[1] ?? "";
      const line = lineOf(schema);
      // The field itself, or what bounds it: a range stands before its first member, a default before its tag.
      expect(line).toMatch(new RegExp(`\\b${name}\\b|within|default|switch|struct|stream`));
    }
    // All but the plainest of them have something that can be broken.
    if (message.name.includes("device context")) expect(refused).toBeGreaterThan(0);
  });
});

describe("an error", () => {
  const { bytes, fieldOffsets } = deviceContext();
  const last = fieldOffsets[4] ?? 0;
  const cut = bytes.subarray(0, last + 11);

  function caught(run: () => unknown): WireError {
    try {
      run();
    } catch (error) {
      if (error instanceof WireError) return error;
      throw error;
    }
    throw new Error("nothing was thrown");
  }

  it("says what, where, how much was needed and there, and which line of the schema asks for it", () => {
    const error = caught(() => decodeVirtioDevCtx(cut, NET));
    const { code, path, offset, need, had } = error;
    expect({ code, path, offset, need, had }).toEqual({
      code: "truncated",
      path: "fields[4].length",
      offset: last + 8,
      need: 8,
      had: 3,
    });
    expect(lineOf(error.schema)).toContain("le64 length as number;");
    const at = (last + 8).toString(16);
    expect(error.message).toBe(
      `truncated: fields[4].length at 0x${at}: needs 8 bytes, has 3 (${error.schema})`,
    );
    expect(formatFault(error)).toBe(error.message);
  });

  it("counts offsets from the start of the whole stream", () => {
    const base = 0x1_0000_0000;
    const error = caught(() => decodeVirtioDevCtx(new Reader(cut, { base }), NET));
    expect(error.offset).toBe(base + last + 8);
    const pushed = caught(() => {
      const parser = new VirtioDevCtxParser(NET, {}, { base });
      parser.push(cut);
      parser.finish();
    });
    expect({ ...pushed }).toEqual({ ...error });
  });

  it("is the same in an inspection", () => {
    const found = checkVirtioDevCtx(cut, NET);
    const { summary } = inspectBytes(cut, { kind: "device-context", device: NET });
    const { code, path, offset, need, had, detail, schema } = found ?? {};
    expect(summary.faults[0]).toEqual({ code, path, offset, need, had, detail, schema });
  });
});
