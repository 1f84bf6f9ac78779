import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pong, recovery, shut } from "../streams/qemu/return-path-bytes.js";
import { bytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

describe("inspecting a return path", () => {
  it("tells the result, the pages asked for, and every message", () => {
    const capture = readFileSync(new URL("../captures/x86-q35-postcopy.return.bin", import.meta.url));
    const { records, summary } = inspectBytes(new Uint8Array(capture), { withFields: true });
    expect(summary).toMatchObject({ kind: "qemu-return-path", faultCount: 0 });
    expect(summary.verdict).toMatch(/^clean/);
    expect(Object.fromEntries(summary.facts.map(({ key, value }) => [key, value]))).toEqual({
      message_count: 21,
      shut: 0,
      pongs: [1, 2, 4, 3],
      requested_bytes: 16 * 4096,
    });
    const texts = Object.fromEntries(summary.facts.map(({ key, text }) => [key, text]));
    expect(texts).toMatchObject({ shut: "success (SHUT 0)", requested_bytes: "16 requests for 65536 bytes" });
    expect(records[3]).toMatchObject({
      record: "message",
      name: "MIG_RP_MSG_REQ_PAGES_ID",
      at: 0x18,
      attributes: { block: "pc.ram", start: 0x287f000, length: 4096 },
    });
  });

  it("shows bitmaps as records of their own", () => {
    const { records, summary } = inspectBytes(recovery());
    expect(summary.faultCount).toBe(0);
    expect(records.filter(({ record }) => record === "bitmap").map(({ name }) => name)).toEqual([
      "pc.ram",
      "pc.bios",
    ]);
  });

  it("never calls a failed migration clean", () => {
    const { verdict, facts } = inspectBytes(bytes(pong(1), shut(1))).summary;
    expect(verdict).toMatch(/^damaged: .*ended with an error/);
    expect(facts.find(({ key }) => key === "shut")?.text).toBe("failure (SHUT 1)");
    expect(inspectBytes(bytes(pong(1), pong(2))).summary.verdict).toMatch(
      /^damaged: .*without MIG_RP_MSG_SHUT/,
    );
  });
});
