import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  type CaptureRecord,
  detectKind,
  MigrationCheck,
  openInspection,
  printPath,
} from "../../src/inspect/index.js";
import { multifdInit, pagesPacket, syncPacket } from "../streams/qemu/multifd-bytes.js";
import { pong, requestPages, shut } from "../streams/qemu/return-path-bytes.js";
import {
  command,
  configuration,
  described,
  EOF,
  end,
  FILE_HEADER,
  memSize,
  PAGE,
  page,
  part,
  RAM_EOS,
  ramWord,
  start,
} from "../streams/qemu/stream-bytes.js";
import { be, bytes } from "../streams/wire-bytes.js";

const FLUSH = ramWord(0, 0x200);
/** Two pages in a.ram, of which one is in the main channel; two rounds; PINGs 1 and 2. */
const MAIN = bytes(
  FILE_HEADER,
  configuration("pc-q35-10.0"),
  command(1),
  command(2, be(4, 1)),
  command(2, be(4, 2)),
  start(0, "ram", [...memSize([{ name: "a.ram", size: 2 * PAGE }]), ...FLUSH, ...RAM_EOS], 4),
  part(0, [...page(0, "a.ram", 1), ...FLUSH, ...RAM_EOS]),
  end(0, RAM_EOS),
  EOF,
  described([]),
);
const channel = (id: number, block: string, syncs: number) =>
  bytes(
    multifdInit(id),
    pagesPacket({ block, normal: [PAGE] }),
    ...Array.from({ length: syncs }, (_, i) => syncPacket(i + 1)),
  );
const CHANNEL = channel(0, "a.ram", 2);
const RETURN = bytes(pong(2), requestPages(PAGE, PAGE, "a.ram"), pong(1), shut(0));

function check(...files: readonly Uint8Array[]) {
  const migration = new MigrationCheck();
  const records: CaptureRecord[] = [];
  for (const [index, file] of files.entries()) {
    const detected = detectKind(file.subarray(0, 4096));
    if (detected.kind === "unknown" || detected.kind === "unsupported") throw new Error(detected.kind);
    const sink = migration.open(`file${index}`, detected.kind, { record: (record) => records.push(record) });
    const inspection = openInspection(detected.kind, sink, { withFields: false });
    inspection.push(file);
    migration.close(inspection.end());
  }
  return { records, summary: migration.end() };
}

function capture(name: string): Uint8Array {
  const file = readFileSync(new URL(`../captures/${name}`, import.meta.url));
  return new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
}

describe("several captures as one migration", () => {
  it("fit together as QEMU wrote them, in any order", () => {
    const main = capture("x86-q35-multifd-main.bin");
    const channels = [0, 1].map((i) => capture(`x86-q35-multifd-channel${i}.bin.gz`));
    expect(check(main, ...channels).summary).toMatchObject({ kind: "qemu-migration", faultCount: 0 });
    const { records, summary } = check(...channels, main);
    expect(summary.verdict).toMatch(/^clean/);
    expect(
      records.map(({ path }) => printPath(path)).filter((path) => path.startsWith("parts[2]")),
    ).toContain("parts[2].configuration");
    expect(
      check(capture("x86-q35-return-path.bin"), capture("x86-q35-return-path.return.bin")).summary,
    ).toMatchObject({
      faultCount: 0,
    });
    expect(check(MAIN, CHANNEL, RETURN).summary.faults).toEqual([]);
  });

  it.each([
    ["a channel that is missing", [MAIN], "1 of the 2 pages of a.ram"],
    [
      "a number of channels that has gaps",
      [MAIN, channel(1, "a.ram", 2)],
      "channel 0 of multifd is not there",
    ],
    ["a channel that is there twice", [MAIN, CHANNEL, CHANNEL], "channel 0 is there twice"],
    ["rounds that the main channel has not", [MAIN, channel(0, "a.ram", 3)], "3 SYNC packets"],
    ["pages of a block that there is not", [MAIN, channel(0, "b.ram", 2)], '"b.ram"'],
    ["a PONG without a PING", [MAIN, CHANNEL, bytes(pong(1), pong(2), pong(3), shut(0))], "PONG 3 answers"],
    ["a PING without a PONG", [MAIN, CHANNEL, bytes(pong(1), shut(0))], "PING 2 was not"],
    [
      "a request outside of its block",
      [MAIN, CHANNEL, bytes(pong(1), pong(2), requestPages(2 * PAGE, PAGE, "a.ram"), shut(0))],
      "up to 0x3000 of a.ram",
    ],
    [
      "a request for a block that there is not",
      [MAIN, CHANNEL, bytes(pong(1), pong(2), requestPages(0, PAGE, "c"), shut(0))],
      '"c"',
    ],
    ["two main channels", [MAIN, MAIN, CHANNEL], "a second main channel"],
  ])("%s does not fit", (_, files, message) => {
    const { summary } = check(...files);
    expect(summary.faults.map(({ detail }) => detail).join("; ")).toContain(message);
    expect(summary.verdict).toContain("do not fit together");
  });

  it("are damaged when one of them is", () => {
    const { summary } = check(MAIN, CHANNEL.subarray(0, 3000));
    expect(summary.faultCount).toBeGreaterThan(0);
    expect(summary.verdict).toBe("damaged: parts[1]");
  });

  it("are not called clean without the main channel", () => {
    const { summary } = check(CHANNEL, RETURN);
    expect(summary).toMatchObject({ faultCount: 0, notes: [expect.stringContaining("main channel")] });
    expect(summary.verdict).not.toContain("clean");
  });
});
