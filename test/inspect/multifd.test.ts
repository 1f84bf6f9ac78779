import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { onePageAtATime, QPL } from "../streams/qemu/accelerated-bytes.js";
import {
  deviceStatePacket,
  multifdInit,
  pagesPacket,
  syncPacket,
  ZLIB,
} from "../streams/qemu/multifd-bytes.js";
import { bytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

describe("inspecting a multifd channel", () => {
  it("tells the channel, its rounds and the pages by block", () => {
    const file = readFileSync(new URL("../captures/x86-q35-multifd-channel0.bin.gz", import.meta.url));
    const { records, summary } = inspectBytes(new Uint8Array(gunzipSync(file)));
    expect(summary).toMatchObject({ kind: "qemu-multifd", faultCount: 0 });
    expect(Object.fromEntries(summary.facts.map(({ key, value }) => [key, value]))).toEqual({
      channel: 0,
      page_size: 4096,
      compression: "none",
      packets: 42,
      syncs: 3,
    });
    // The same blocks, in the same order, as in the list of the main channel.
    expect(summary.tables[0]?.rows.map((row) => row[3]?.value)).toEqual([
      "pc.ram",
      "/rom@etc/acpi/tables",
      "pc.bios",
      "0000:00:01.0/virtio-net-pci.rom",
      "pc.rom",
      "/rom@etc/table-loader",
      "/rom@etc/acpi/rsdp",
    ]);
    // Every byte belongs to a record.
    let at = 0;
    for (const record of records) {
      expect(record.at).toBe(at);
      at += record.size;
    }
    expect(at).toBe(summary.size);
  });

  it("shows the lengths of pages that are compressed one by one", () => {
    const pages = [new Uint8Array(4096), new Uint8Array(4096).fill(1)];
    const data = onePageAtATime(pages, QPL);
    const input = bytes(
      multifdInit(1),
      pagesPacket({ block: "pc.ram", normal: [0x7000, 0x8000], data: [...data], flags: QPL }),
      syncPacket(1),
    );
    const { records, summary } = inspectBytes(input, { withFields: true });
    expect(records[1]).toMatchObject({
      at: 64,
      size: 1344 + data.length,
      attributes: { compression: "qpl", data_offset: 64 + 1344 + 8, data_size: data.length - 8 },
    });
    expect(records[1]?.fields?.at(-1)).toMatchObject({ name: "length", at: 64 + 1344 });
    expect(summary.verdict).toMatch(/^clean/);
  });

  it("shows the fields of packets, and says what it did not look into", () => {
    const input = bytes(
      multifdInit(1),
      pagesPacket({ block: "pc.ram", normal: [0x7000], data: [1, 2, 3], flags: ZLIB }),
      deviceStatePacket("dev", 2, [1]),
      syncPacket(1),
    );
    const { records, summary } = inspectBytes(input, { withFields: true });
    expect(records[1]?.fields?.map(({ name }) => name)).toContain("ramblock");
    expect(records[2]).toMatchObject({ record: "device-state", name: "dev", attributes: { instance_id: 2 } });
    expect(summary.notes).toEqual([expect.stringContaining("zlib")]);
    expect(summary.verdict).toMatch(/^clean/);
  });
});
