import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  JsonLinesRenderer,
  JsonRenderer,
  openInspection,
  type Sink,
  type Summary,
  TextRenderer,
} from "../../src/inspect/index.js";
import { configuration, EOF, FILE_HEADER, full, TIMER_BODY } from "../streams/qemu/stream-bytes.js";
import { bytes, deviceContext } from "../streams/wire-bytes.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}.bin`, import.meta.url)));
}

function decoded(part: Uint8Array): string {
  return new TextDecoder().decode(part);
}

function run(
  input: Uint8Array,
  sink: Sink,
  withFields: boolean,
  kind: "qemu-stream" | "device-context" = "qemu-stream",
): Summary {
  const inspection = openInspection(kind, sink, { withFields });
  inspection.push(input);
  return inspection.end();
}

function text(
  input: Uint8Array,
  verbosity: number,
  colour = false,
  kind: "qemu-stream" | "device-context" = "qemu-stream",
): string {
  const renderer = new TextRenderer({ colour, verbosity, name: "x.bin" });
  const parts: string[] = [];
  renderer.finish(run(input, renderer, verbosity > 0, kind), (part) => parts.push(part));
  return parts.join("");
}

describe("text", () => {
  it.each(["x86-q35-net-blk", "aarch64-virt-mmio", "s390x-ccw"])("sums %s up in forty lines", (name) => {
    const lines = text(capture(name), 0).trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines[0]).toMatch(/^x\.bin: QEMU migration stream, [\d,]+ bytes$/);
    const all = lines.join("\n");
    for (const what of ["machine", "page size", "capabilities", "virtio-net", "verdict", "clean"])
      expect(all).toContain(what);
  });

  it("shows elements that are like the one before them as one line, unless asked for all", () => {
    const packed = capture("x86-q35-net-blk");
    const once = text(packed, 1);
    // QEMU saves 1,024 packed virtqueues; those that are not in use have wrap counters of 1.
    expect(once).toMatch(/\[2\.\.1023\] 1,022 elements, all as \[1\]\n/);
    expect(once.length).toBeLessThan(text(packed, 2).length / 4);
  });

  it("shows places, values and meanings, and more of them when asked twice", () => {
    const { bytes: input } = deviceContext();
    const once = text(input, 1, false, "device-context");
    expect(once).toContain("queue_size 256 (0x100) descriptors");
    expect(once).toContain("0x2e     queue_size");
    expect(once).not.toContain("reserved");
    const twice = text(input, 2, false, "device-context");
    expect(twice).toContain("reserved");
    expect(twice).toContain("le16, 2 bytes");
  });

  it("says for each feature bit, when asked twice, which section defines it", () => {
    const lines = text(capture("x86-q35-net-blk"), 2).split("\n");
    const mask = lines.findIndex((line) => /guest_features be64, 8 bytes 4294967364 /.test(line));
    // The specification's numbers of "Feature bits" of the block device, and of "Reserved Feature Bits".
    expect(
      lines.slice(mask + 1, mask + 4).map((line) => line.trim().split(/\s+/).slice(1).join(" ")),
    ).toEqual([
      "bit 2 VIRTIO_BLK_F_SEG_MAX virtio 1.4, 5.2.3",
      "bit 6 VIRTIO_BLK_F_BLK_SIZE virtio 1.4, 5.2.3",
      "bit 32 VIRTIO_F_VERSION_1 virtio 1.4, 6",
    ]);
    expect(text(capture("x86-q35-net-blk"), 1)).not.toContain("virtio 1.4, 5.2.3");
  });

  it("has colours only where they are wanted", () => {
    const { bytes: input } = deviceContext();
    expect(text(input, 1, false, "device-context")).not.toContain("\u001b");
    expect(text(input, 1, true, "device-context")).toContain(
      "\u001b[32mVIRTIO_DEV_CTX_DEV_FEATURES\u001b[39m",
    );
  });

  it("does not let names from the file give orders to the terminal", () => {
    const evil = "\u001b]0;owned\u0007";
    const input = bytes(FILE_HEADER, configuration(evil), full(0, `${evil}x`, TIMER_BODY), EOF);
    const orders = (shown: string): string[] => [...shown].filter((one) => one < " " && one !== "\n");
    for (const verbosity of [0, 2]) expect(orders(text(input, verbosity))).toEqual([]);
  });
});

describe("JSON", () => {
  it("is one document, written in pieces", () => {
    const parts: string[] = [];
    const renderer = new JsonRenderer((part) => parts.push(decoded(part)));
    renderer.finish(run(capture("aarch64-virt-mmio"), renderer, true));
    expect(parts.length).toBeGreaterThan(5);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(1 << 16);
    const document = JSON.parse(parts.join(""));
    expect(document.summary).toMatchObject({
      kind: "qemu-stream",
      machine: "virt-10.0",
      page_size: 4096,
      fault_count: 0,
    });
    const names = document.records.map(({ name }: { name: string }) => name);
    expect(names).toContain("virtio-mmio@000000000a003e00/virtio-net");
    expect(document.records[1]).toMatchObject({ record: "configuration", _offset: 8, target_page_bits: 12 });
  });

  it("is valid when there is nothing to tell, and when there is damage", () => {
    for (const input of [new Uint8Array(0), bytes(1, 2, 3), capture("s390x-ccw").subarray(0, 300_000)]) {
      const parts: string[] = [];
      const renderer = new JsonRenderer((part) => parts.push(decoded(part)));
      renderer.finish(run(input, renderer, true));
      const document = JSON.parse(parts.join(""));
      expect(document.summary.fault_count).toBeGreaterThan(0);
      expect(document.summary.faults[0]).toMatchObject({
        code: expect.any(String),
        _offset: expect.any(Number),
      });
    }
  });

  it("has a line for each record, which holds its fields with their places", () => {
    const parts: string[] = [];
    const renderer = new JsonLinesRenderer((part) => parts.push(decoded(part)));
    renderer.finish(run(capture("s390x-ccw"), renderer, true));
    const text = parts.join("");
    expect(text.endsWith("\n")).toBe(true);
    const records = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records[records.length - 1]).toMatchObject({ record: "summary", kind: "qemu-stream" });
    const timer = records.find(({ name }) => name === "timer");
    expect(timer).toMatchObject({
      record: "section",
      phase: "full",
      section_id: 0,
      _offset: 0x470c5,
      _size: 48,
    });
    expect(timer.fields[0]).toEqual({
      name: "cpu_ticks_offset",
      type: "int64",
      _offset: 0x470d8,
      _size: 8,
      value: 15800057056,
    });
  });

  it("writes 64-bit integers in full", () => {
    const parts: string[] = [];
    const renderer = new JsonLinesRenderer((part) => parts.push(decoded(part)));
    renderer.finish(run(capture("s390x-ccw"), renderer, true));
    expect(parts.join("")).toContain('"value":18446744069414574368');
  });
});
