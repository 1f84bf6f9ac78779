/**
 * Devices in states that no idle guest has: what a real QEMU saved of them, against what it had been told over their
 * queues. See test/captures/README.md.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Leaf, openInspection, printPath, Query, type Summary } from "../../../../src/inspect/index.js";
import { Reader, Writer } from "../../../../src/runtime/index.js";
import { opaqueField } from "../../../../src/streams/qemu/opaque-fields.js";
import type { Vmstate } from "../../../../src/streams/qemu/virtio/vmstate.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(`test/captures/virtio-states/${name}.bin.gz`)));
}

interface Values {
  readonly summary: Summary;
  /** By path behind that of the section. Bytes are hexadecimal, so that they compare as values. */
  readonly values: ReadonlyMap<string, Leaf["value"]>;
}

/** All values of the sections that the pattern names. */
function valuesOf(bytes: Uint8Array, pattern: string): Values {
  const values = new Map<string, Leaf["value"]>();
  const query = new Query([pattern], ({ path, value }) => {
    values.set(printPath(path).replace(/^sections\["[^"]*"\]\./, ""), plain(value));
  });
  const inspection = openInspection("qemu-stream", query, { withFields: true });
  inspection.push(bytes);
  return { summary: inspection.end(), values };
}

function plain(value: Leaf["value"]): Leaf["value"] {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

/** What was told, as paths below a prefix. */
type Told = Readonly<Record<string, number | bigint | string>>;

function expectTold(
  { summary, values }: Values,
  prefix: string,
  told: Told,
  faults: readonly string[] = [],
): void {
  expect(summary.faults.map(({ path }) => path)).toEqual(faults);
  const found = Object.keys(told).map((path) => [path, values.get(prefix + path)]);
  expect(Object.fromEntries(found)).toEqual(told);
}

/** The bytes that the values at a pattern take, and the layout of those given that fits them. */
function encoded(
  bytes: Uint8Array,
  pattern: string,
  { layouts }: Vmstate,
): readonly [Uint8Array, Uint8Array] {
  let from = bytes.length;
  let to = 0;
  const query = new Query([pattern], ({ at, size = 0 }) => {
    if (at === undefined) return;
    from = Math.min(from, at);
    to = Math.max(to, at + size);
  });
  const inspection = openInspection("qemu-stream", query, { withFields: true });
  inspection.push(bytes);
  inspection.end();
  const field = bytes.subarray(from, to);
  const fitting = layouts.find((one) => {
    const reader = new Reader(field);
    return one.scan(reader) && reader.at === reader.end;
  });
  const writer = new Writer();
  const value = fitting?.read(new Reader(field));
  fitting?.write(writer, value);
  return [writer.written(), field];
}

describe("fields behind the field virtio, and in other sections", () => {
  it.each([
    ["gpu", "sections[*/virtio-gpu].virtio-gpu.**", "virtio-gpu"],
    ["gpu-8.2", "sections[*/virtio-gpu].virtio-gpu.**", "virtio-gpu"],
    ["in-flight", "sections[*/scsi-disk].qdev.requests.**", "scsi-requests"],
    ["in-flight-i386", "sections[*/scsi-disk].qdev.requests.**", "scsi-requests"],
  ])("of %s encode to the bytes that they were decoded from", (name, pattern, type) => {
    const state = opaqueField(type);
    if (state === undefined) throw new Error(`${type} is not known`);
    const [again, bytes] = encoded(capture(name), pattern, state);
    expect(bytes.length).toBeGreaterThan(100);
    expect(Buffer.from(again).equals(bytes)).toBe(true);
  });
});

describe("the saved state of", () => {
  it("an IOMMU has its domains, mappings and endpoints", () => {
    const state = valuesOf(capture("iommu"), "sections[*/virtio-iommu].virtio.device.**");
    expectTold(state, "virtio.device.", {
      ndomains: 2,
      "domains[0].id": 7,
      "domains[0].nmappings": 2,
      "domains[0].mappings[0].low": 0x1000n,
      "domains[0].mappings[0].high": 0x1fffn,
      "domains[0].mappings[0].phys_addr": 0x20_0000n,
      "domains[0].mappings[0].flags": 3,
      "domains[0].mappings[1].low": 0x1_0000n,
      "domains[0].mappings[1].high": 0x2_ffffn,
      "domains[0].mappings[1].phys_addr": 0x30_0000n,
      "domains[0].mappings[1].flags": 1,
      // Bus 0, devices 3 and 4.
      "domains[0].endpoints[0].id": 0x18,
      "domains[1].id": 0x1234,
      "domains[1].endpoints[0].id": 0x20,
    });
  });

  it("a GPU has its resources with their pixels, and what is on the screens", () => {
    const state = valuesOf(capture("gpu"), "sections[*/virtio-gpu].virtio-gpu.**");
    // The second piece of the guest memory behind it was empty.
    const pixels = Buffer.alloc(24 * 16 * 4);
    for (let i = 0; i < 1000; i++) pixels[i] = i * 7;
    expectTold(state, "virtio-gpu.", {
      "resources[0].resource_id": 0x21,
      "resources[0].format": 67,
      "resources[1].resource_id": 1,
      "resources[1].width": 24,
      "resources[1].height": 16,
      "resources[1].iov[0].length": 1000,
      "resources[1].iov[1].length": 536,
      "resources[1].pixels": pixels.toString("hex"),
      max_outputs: 2,
      "scanout[0].cursor.pos_x": 0,
      "scanout[1].resource_id": 1,
      "scanout[1].x": 2,
      "scanout[1].width": 20,
      "scanout[1].height": 16,
      // PIXMAN_x8r8g8b8
      "scanout[1].fb.format": 0x20020888,
      "scanout[1].fb.stride": 96,
      "scanout[1].fb.offset": 8,
    });
  });

  it("a GPU of an older machine type has a framebuffer where QEMU looked for the property in the wrong place", () => {
    const state = valuesOf(capture("gpu-8.2"), "sections[*/virtio-gpu].virtio-gpu.**");
    expectTold(state, "virtio-gpu.", { "resources[0].resource_id": 5, max_outputs: 2 });
    const framebuffers = [...state.values.keys()].filter((path) => path.endsWith(".fb.stride"));
    expect(framebuffers).toHaveLength(1);
  });

  it("a network device has its filters and its hashes", () => {
    const state = valuesOf(capture("net"), "sections[*/virtio-net].virtio.**");
    expectTold(state, "virtio.device.", {
      mac: "525400010203",
      promisc: 1,
      allmulti: 1,
      mac_table_in_use: 3,
      "mac_table_macs[0]": "525400aabbcc",
      "mac_table_macs[1]": "01005e000001",
      "mac_table_macs[2]": "333300000001",
      curr_guest_offloads: 0n,
    });
    expectTold(state, 'virtio["virtio-net-device/rss"].', {
      enabled: 1,
      redirect: 1,
      populate_hash: 0,
      hash_types: 0x3f,
      indirections_len: 4,
      key: Buffer.from(Array.from({ length: 40 }, (_, i) => i + 1)).toString("hex"),
    });
  });

  it("a port has the buffer that its host side has not read to the end", () => {
    const state = valuesOf(capture("serial"), "sections[*/virtio-console].virtio.device.**");
    expectTold(state, "virtio.device.", {
      "size.max_nr_ports": 31,
      "ports_map[0]": 0b11,
      nr_active_ports: 2,
      "ports[0].id": 1,
      "ports[0].guest_connected": 1,
      "ports[0].elem_popped": 1,
      "ports[0].request.element.out_num": 4,
      "ports[0].request.element.in_num": 0,
      "ports[0].request.element.out_sg[0].iov_len": 3000n,
      "ports[0].request.element.out_sg[1].iov_len": 100_000n,
      "ports[0].request.element.out_sg[2].iov_len": 400_000n,
      "ports[0].request.element.out_sg[3].iov_len": 500_000n,
      "ports[1].id": 0,
      "ports[1].elem_popped": 0,
    });
    // The socket took what its buffers hold, the rest waits.
    expect(state.values.get("virtio.device.ports[0].iov_idx")).toBe(2);
    expect(Number(state.values.get("virtio.device.ports[0].iov_offset"))).toBeLessThan(400_000);
  });

  it("a block device has its failed requests, the newest first", () => {
    const bytes = capture("in-flight");
    const single = valuesOf(bytes, 'sections["0000:00:02.0/virtio-blk"].virtio.device.**');
    expectTold(single, "virtio.device.requests", {
      // A write behind a read of four descriptors.
      "[0].request.element.index": 4,
      "[0].request.element.out_num": 2,
      "[0].request.element.in_num": 1,
      "[0].request.element.out_sg[0].iov_len": 16n,
      "[0].request.element.out_sg[1].iov_len": 1024n,
      "[1].request.element.index": 0,
      "[1].request.element.out_num": 1,
      "[1].request.element.in_num": 3,
      "[1].request.element.in_sg[1].iov_len": 256n,
    });
    const double = valuesOf(bytes, 'sections["0000:00:03.0/virtio-blk"].virtio.device.**');
    expectTold(double, "virtio.device.requests", { "[0].vq_index": 0, "[1].vq_index": 1 });
    const packed = valuesOf(bytes, 'sections["0000:00:04.0/virtio-blk"].virtio.device.**');
    // The ring is split, and a request of a split ring counts one. It stands there since the device offers packed rings.
    expectTold(packed, "virtio.device.requests", {
      "[0].request.ndescs": 1,
      "[0].request.element.in_num": 3,
    });
  });

  it("devices of a 32-bit host have theirs with lengths of 32 bits", () => {
    const bytes = capture("in-flight-i386");
    const single = valuesOf(bytes, 'sections["0000:00:02.0/virtio-blk"].virtio.device.**');
    expectTold(single, "virtio.device.requests", {
      "[0].request.element.index": 4,
      "[0].request.element.out_sg_32[0].iov_len": 16,
      "[0].request.element.out_sg_32[1].iov_len": 1024,
      "[1].request.element.in_num": 3,
      "[1].request.element.in_sg_32[1].iov_len": 256,
    });
    const packed = valuesOf(bytes, 'sections["0000:00:04.0/virtio-blk"].virtio.device.**');
    expectTold(packed, "virtio.device.requests", {
      "[0].request.ndescs": 1,
      "[0].request.element.in_num": 3,
    });
    const serial = valuesOf(bytes, "sections[*/virtio-console].virtio.device.ports.**");
    const parts = [3000, 100_000, 400_000, 500_000];
    const [element] = [...serial.values.keys()].flatMap(
      (path) => /^.*\.element\.(?=index$)/.exec(path) ?? [],
    );
    const lengths = parts.map((length, i) => [`out_sg_32[${i}].iov_len`, length] as const);
    expectTold(serial, element ?? "", Object.fromEntries(lengths));
    const disk = valuesOf(bytes, "sections[*/scsi-disk].qdev.requests.**");
    expectTold(disk, "qdev.requests.in_flight", {
      "[0].cdb.opcode": 0x28,
      "[0].request.element.in_sg_32[1].iov_len": 1024,
      "[0].disk.read.sector": 8n,
      "[1].request.element.out_sg_32[1].iov_len": 512,
      "[1].disk.write.sector_count": 1,
    });
  });

  it.each([
    ["with a description", (bytes: Buffer) => bytes, []],
    [
      "without",
      (bytes: Buffer) => bytes.subarray(0, bytes.lastIndexOf('{"configuration"') - 5),
      ["vmdescription"],
    ],
  ])("a vhost-user disk has the requests that its back-end had not completed, %s", (_, cut, faults) => {
    const bytes = new Uint8Array(cut(Buffer.from(capture("vhost-user-blk"))));
    const state = valuesOf(bytes, 'sections[*/vhost-user-blk]["vhost-user-blk/inflight"].**');
    const found = [...state.values].filter(([path, value]) => path.endsWith("].inflight") && value === 1);
    // Three reads, on one queue of either processor.
    expect(found).toHaveLength(3);
    const under = found[0]?.[0].replace(/queues\[.*/, "") ?? "";
    expectTold(
      state,
      under,
      {
        "extent.size": 4224,
        "extent.queue_size": 128,
        "queues[0].queue.version": 1,
        "queues[0].queue.desc_num": 128,
        "queues[1].queue.desc_num": 128,
      },
      faults,
    );
  });

  it("a disk has the requests of its controller's queues", () => {
    const state = valuesOf(capture("in-flight"), "sections[*/scsi-disk].qdev.requests.**");
    expectTold(state, "qdev.requests.in_flight", {
      "[0].more": 1,
      "[0].cdb.opcode": 0x28,
      "[0].vq": 2,
      "[0].request.element.out_num": 1,
      "[0].request.element.in_sg[1].iov_len": 1024n,
      "[0].disk.read.sector": 8n,
      "[0].disk.read.sector_count": 2,
      "[1].cdb.opcode": 0x2a,
      "[1].vq": 1,
      "[1].request.element.out_sg[1].iov_len": 512n,
      "[1].disk.write.sector": 8n,
      "[1].disk.write.sector_count": 1,
    });
  });

  it("pluggable memory says in a section of its own which blocks are plugged, or in the device's own part", () => {
    const early = valuesOf(capture("mem"), "sections[*/virtio-mem-device-early].**");
    expectTold(early, "", {
      size: 4n << 20n,
      // Two blocks of 2 MiB from 4 MiB on, as big-endian words.
      bitmap: "000000000000000c0000000000000000",
    });
    // As after postcopy: without a description.
    const whole = Buffer.from(capture("mem"));
    const undescribed = new Uint8Array(whole.subarray(0, whole.lastIndexOf('{"configuration"') - 5));
    expectTold(
      valuesOf(undescribed, "sections[*/virtio-mem-device-early].**"),
      "",
      {
        addr: 4n << 30n,
        region_size: 256 * 2 ** 20,
        size: 4n << 20n,
        "bitmap[0]": 0xcn,
      },
      ["vmdescription"],
    );
    const main = valuesOf(capture("mem"), "sections[*/virtio-mem].virtio.device.**");
    expectTold(main, "virtio.device.", { requested_size: 8n << 20n, usable_region_size: 256n << 20n });
    const late = valuesOf(capture("mem-7.2"), "sections[*/virtio-mem].virtio.device.**");
    expectTold(late, "virtio.device.", {
      region_size: 256 * 2 ** 20,
      block_size: 2 * 2 ** 20,
      requested_size: 8n << 20n,
      "bitmap[1]": 0n,
    });
  });
});
