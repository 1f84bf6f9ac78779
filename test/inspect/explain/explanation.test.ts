/** What the values of real lines say. The lines are from public reports; what they come to was worked out by hand there. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { deviceByName } from "../../../src/inspect/device-names.js";
import {
  type Capture,
  CaptureCollector,
  type Explanation,
  explain,
  type Known,
  readLog,
} from "../../../src/inspect/explain/index.js";
import { inspectBytes } from "../inspect-bytes.js";

function explained(log: string, known: Known = {}): readonly Explanation[] {
  return readLog(log).sightings.map((sighting) => explain(sighting, known));
}

function first(log: string, known: Known = {}): Explanation {
  const [explanation] = explained(log, known);
  if (explanation === undefined) throw new Error(`not recognised: ${log}`);
  return explanation;
}

function captureOf(bytes: Uint8Array, name = "vm.bin"): Capture {
  const collector = new CaptureCollector(name);
  const { records, summary } = inspectBytes(bytes, { withFields: true });
  for (const record of records) collector.record(record);
  return collector.finish(summary);
}

function fileOf(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`test/captures/${name}.bin`));
}

const q35 = fileOf("x86-q35-net-blk");

describe("features", () => {
  it("kubevirt issue 16386: bits 54, 55 and 56, which only a network device has", () => {
    const { causes } = first(
      "Features 0x1c0010130afffaf unsupported. Allowed features: 0x10179bfffef\nFailed to load virtio-net:virtio",
    );
    expect(causes[0]).toBe(
      "accepted by the guest, not offered by the destination: bit 54: VIRTIO_NET_F_GUEST_USO4 (virtio 1.4, 5.1.3); bit 55: VIRTIO_NET_F_GUEST_USO6 (virtio 1.4, 5.1.3); bit 56: VIRTIO_NET_F_HOST_USO (virtio 1.4, 5.1.3)",
    );
    expect(causes[1]).toContain("host_uso");
  });

  it("qemu-devel 2025-11-07: bit 40, which the reporter had to guess", () => {
    const { causes } = first("Features 0x10130afffa7 unsupported. Allowed features: 0x179bfffe7");
    expect(causes[0]).toBe(
      "accepted by the guest, not offered by the destination: bit 40: VIRTIO_F_RING_RESET (virtio 1.4, 6)",
    );
    expect(causes[1]).toContain("queue_reset");
  });

  it("vhost-vsock 2021: bit 1, and the type from the command line or from the log", () => {
    const line = "Features 0x130000002 unsupported. Allowed features: 0x179000000";
    const lacking =
      "accepted by the guest, not offered by the destination: bit 1: VIRTIO_VSOCK_F_SEQPACKET (virtio 1.4, 5.10.3)";
    expect(first(line, { device: deviceByName("vsock") }).causes[0]).toBe(lacking);
    expect(first(`${line}\nFailed to load vhost-vsock:virtio`).causes[0]).toBe(lacking);
    const { causes } = first(line);
    expect(causes[0]).toContain(
      "VIRTIO_NET_F_GUEST_CSUM (virtio 1.4, 5.1.3) or VIRTIO_BLK_F_SIZE_MAX (virtio 1.4, 5.2.3) or",
    );
    expect(causes[causes.length - 1]).toContain("--device");
  });

  it("QEMU 11.1 prints the features without those that are lacking: the stream tells which they are", () => {
    const file = captureOf(q35);
    // The guest's firmware has accepted 0x100000044 of the disk's.
    const log =
      "Features 0x00000000000000000000000100000040 unsupported. Allowed features: 0x00000000000000000000010179006e50\n" +
      "qemu-system-x86_64: load of migration failed: Invalid argument: error while loading state for instance 0x0 of device '0000:00:02.0/virtio-blk': Failed to load element of type virtio for virtio";
    expect(first(log, { file }).causes[0]).toContain("bit 2: VIRTIO_BLK_F_SEG_MAX");
    expect(first(log).causes[0]).toContain("QEMU 11");
  });
});

describe("fields inside virtio devices", () => {
  const file = captureOf(fileOf("x86-q35-return-path"));

  it("finds what the guest has accepted", () => {
    const { places } = first("Features 0x100000044 unsupported. Allowed features: 0x100000004", { file });
    expect(places.map(({ path }) => path)).toEqual([
      'sections["0000:00:02.0/virtio-blk"].virtio["virtio/64bit_features"].guest_features',
    ]);
  });

  it("finds the position of a queue, in the device that the log names", () => {
    const log = "VQ 1 size 0x100 Guest index 0x4 inconsistent with Host index 0x5: delta 0xffff";
    const device = "error while loading state for instance 0x0 of device '0000:00:01.0/virtio-net'";
    const { places } = first(`${log}\n${device}`, { file });
    expect(places.map(({ path }) => path)).toEqual([
      'sections["0000:00:01.0/virtio-net"].virtio.queues[1].last_avail_idx',
    ]);
  });

  it("finds the register of the device that has this byte there", () => {
    const { causes, places } = first("Bad config data: i=0x9a read: 3 device: 6", { file });
    expect(causes[0]).toBe("offset 0x9a is byte 0 of table_size in the MSI-X capability at 0x98");
    expect(places.map(({ path }) => path)).toEqual([
      'sections["0000:00:01.0/virtio-net"].virtio.pci.device.config.capability_98.table_size',
    ]);
  });
});

describe("PCI configuration space", () => {
  it("i=0x9a of a virtio device: 4 vectors against 7", () => {
    const { causes } = first("get_pci_config_device: Bad config data: i=0x9a read: 3 device: 6");
    expect(causes[0]).toContain("table_size");
    expect(causes[0]).toContain("MSI-X capability at 0x98");
    expect(causes[1]).toBe("MSI-X table size: 4 vectors at the source, 7 at the destination");
  });

  it("RH bug 2215819, i=0x6e: an empty slot against an occupied one", () => {
    const { causes } = first("Bad config data: i=0x6e read: 0 device: 40 cmask ff");
    expect(causes).toContain("presence detect of the slot: empty at the source, occupied at the destination");
    expect(causes.some((cause) => cause.includes("pcie-root-port") && cause.includes("sltsta"))).toBe(true);
  });

  it("names a field of the header for any device", () => {
    const { causes } = first("Bad config data: i=0x6 read: 0 device: 10 cmask: 10 wmask: 0 w1cmask:0");
    expect(causes[0]).toContain("status in the header");
  });

  it("finds the device that has this byte there", () => {
    // ich9_ahci has the device id 0x2922; the bytes are its own in the capture.
    const file = captureOf(q35);
    const { places } = first("Bad config data: i=0x2 read: 22 device: 8", { file });
    expect(places).toHaveLength(1);
    expect(places[0]?.path).toMatch(/^sections\["0000:00:1f\.2\/ich9_ahci"\]/);
    expect([q35[(places[0]?.at ?? 0) - 2], q35[places[0]?.at ?? 0]]).toEqual([0x86, 0x22]);
  });

  it("follows the capabilities of the device itself", () => {
    // The AHCI controller of q35 has MSI at 0x80: QEMU 10.0.2, hw/ide/ich.c, ICH9_MSI_CAP_OFFSET.
    const file = captureOf(q35);
    const [log] = [
      "Bad config data: i=0x82 read: 80 device: 81\nerror while loading state for instance 0x0 of device '0000:00:1f.2/ich9_ahci'",
    ];
    const { causes } = first(log, { file });
    expect(causes[0]).toContain("MSI capability at 0x80");
  });
});

describe("virtqueues", () => {
  it("Launchpad 1761798: the device is 8 buffers ahead of the ring", () => {
    const { causes } = first(
      "VQ 0 size 0x80 Guest index 0x12c inconsistent with Host index 0x134: delta 0xfff8",
    );
    expect(causes[0]).toContain(
      "the driver has made 300 (0x12c) buffers available, the device has taken 308 (0x134)",
    );
    expect(causes[0]).toContain("65528 may be waiting, at most 128");
    expect(causes[1]).toContain("8 buffers ahead of the ring");
  });

  it("the other way round: the ring is ahead", () => {
    const { causes } = first(
      "VQ 3 size 0x100 Guest index 0x5 inconsistent with Host index 0xfe00: delta 0x205",
    );
    expect(causes[1]).toContain("the ring is 517 buffers ahead");
  });
});

describe("framing", () => {
  it("126 is a footer", () => {
    const { causes } = first("qemu-system-x86_64: Unknown savevm section type 126");
    expect(causes[0]).toBe("126 is 0x7e, QEMU_VM_SECTION_FOOTER");
    expect(causes[1]).toContain("the section before with the wrong length");
  });

  it("names the section with a wrong footer, and those around it, with their offsets", () => {
    const file = captureOf(q35);
    const { places } = first("Missing section footer for 0000:00:1f.0/ICH9LPC", { file });
    expect(places.map(({ at, path }) => [at, path])).toEqual([
      [0xe4461, 'sections["mc146818rtc"]'],
      [0xe4574, 'sections["0000:00:1f.0/ICH9LPC"]'],
      [0xe8f59, 'sections["i8259"]'],
    ]);
  });

  it("lists the instances that exist: Launchpad 1869426, with i8259 in the place of serial", () => {
    const file = captureOf(q35);
    const other = captureOf(fileOf("aarch64-virt-mmio"), "other.bin");
    const { causes, places } = first("Unknown savevm section or instance 'i8259' 1.", { file, other });
    expect(causes).toContain("the stream has instances 0, 1 of i8259");
    expect(causes).toContain("other.bin has no i8259");
    expect(places.map(({ path }) => path)).toContain('sections["i8259"#1]');
  });

  it("says what of the stream the destination has in another size", () => {
    const file = captureOf(q35);
    const other = captureOf(fileOf("x86-q35-return-path"), "other.bin");
    const { places } = first("Unknown savevm section type 5", { file, other });
    expect(places.map(({ path, text }) => `${path}: ${text}`)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^sections\["kvmclock"\]: not in other\.bin$/)]),
    );
  });

  it("points at the damage when the stream itself is damaged", () => {
    const cut = captureOf(q35.subarray(0, 0xe5000));
    const { places, causes } = first(
      "error while loading state for instance 0x0 of device '0000:00:1f.0/ICH9LPC'",
      {
        file: cut,
      },
    );
    expect(places.some(({ at, text }) => at >= 0xe4574 && text.startsWith("this stream is damaged"))).toBe(
      true,
    );
    expect(causes).toEqual([]);
  });
});

describe("memory", () => {
  it("compares blocks", () => {
    const file = captureOf(q35);
    const { causes, places } = first("Size mismatch: pc.bios: 0x40000 != 0x20000: Invalid argument", {
      file,
    });
    expect(causes).toEqual([
      "pc.bios: 256 KiB (0x40000) in the stream, 128 KiB (0x20000) at the destination",
    ]);
    expect(places[0]?.text).toBe("block pc.bios: 256 KiB (0x40000)");
  });

  it("names the flags of a page", () => {
    expect(first("Unknown combination of migration flags: 0x208").causes).toEqual([
      "0x208 is RAM_SAVE_FLAG_PAGE | RAM_SAVE_FLAG_MULTIFD_FLUSH",
    ]);
  });
});

it.each([
  ["multifd 0: flags received 4 flags expected 0", "compression zstd came, none is set at the destination"],
  [
    "multifd: received packet magic 5145564d expected 11223344",
    "0x5145564d is `QEVM`: the main channel of a migration has connected here.",
  ],
  [
    "Failed to read msg header. Read -1 instead of 12. Original request 11.",
    "the request was VHOST_USER_GET_VRING_BASE",
  ],
  ["0000:3b:00.2: Unknown tag 0xffffffffef100004", "0xffffffffef100004 is VFIO_MIG_FLAG_DEV_DATA_STATE"],
  ["CMD_POSTCOPY_LISTEN in wrong postcopy state (0)", "the destination is in state 0, NONE"],
  ["MIG_CMD 0xb unknown (len 0x0)", "command 0xb is MIG_CMD_SWITCHOVER_START"],
])("%s: %s", (line, cause) => {
  expect(first(line).causes).toContain(cause);
});
