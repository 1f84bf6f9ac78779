/** Migrations that fail on a real QEMU: what it says is explained, with the place in the stream. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QemuStreamParser } from "../../src/streams/index.js";
import { virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { argumentsOf, type Guest, Q35, startGuest } from "./guests.js";
import { Machine } from "./machine.js";
import { newerQemu } from "./programs.js";

const MACHINE = Q35.machine.newer;
const NET = ["-netdev", "user,id=net0", "-device"];
const DISK = ["-drive", "if=none,id=disk0,format=raw,file=disk0.img", "-device"];
const UUID = "12345678-1234-5678-9abc-def012345678";

/** A property of a device, with a comma in front, or nothing. */
interface Variant {
  readonly machine?: string;
  readonly memory?: number;
  readonly net?: string;
  readonly blk?: string;
  readonly noRng?: true;
  readonly serials?: number;
  readonly uuid?: string;
  readonly capabilities?: readonly string[];
}

function guest({ net = "", blk = "", noRng, serials = 2, uuid, memory = 16 }: Variant): Guest {
  const ports = Array.from({ length: serials }, (_, i) => [
    ...["-chardev", `null,id=serial${i}`],
    ...["-device", `isa-serial,chardev=serial${i}`],
  ]);
  return {
    ...Q35,
    memory: { ...Q35.memory, size: memory << 20 },
    devices: [
      ...[...NET, `virtio-net-pci,netdev=net0${net}`, ...DISK, `virtio-blk-pci,drive=disk0${blk}`],
      ...(noRng ? [] : ["-device", "virtio-rng-pci"]),
      ...ports.flat(),
      ...(uuid === undefined ? [] : ["-uuid", uuid]),
    ],
  };
}

/** What was done to the stream on its way. */
type Damage = (stream: Buffer) => Buffer;

interface Section {
  readonly at: number;
  readonly size: number;
  readonly bodyAt: number;
}

function sectionOf(stream: Buffer, name: string): Section {
  let found: Section | undefined;
  const parser = new QemuStreamParser((event) => {
    if (event.kind === "section" && event.name === name && event.phase === "full") found = event;
  });
  parser.push(stream);
  parser.end();
  if (found === undefined) throw new Error(`no section ${name}`);
  return found;
}

const NET_SECTION = "0000:00:01.0/virtio-net";
/** In the virtio body: version_id of the PCI device, then its configuration space. */
const PCI_STATUS = 4 + 6;

const flipStatus: Damage = (stream) => {
  const copy = Buffer.from(stream);
  const at = sectionOf(stream, NET_SECTION).bodyAt + PCI_STATUS;
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
};
const zeroFooter: Damage = (stream) => {
  const copy = Buffer.from(stream);
  const { at, size } = sectionOf(stream, NET_SECTION);
  copy[at + size - 5] = 0;
  return copy;
};
const dropByte: Damage = (stream) => {
  const { at, size } = sectionOf(stream, NET_SECTION);
  return Buffer.concat([stream.subarray(0, at + size - 40), stream.subarray(at + size - 39)]);
};
const cutInMemory: Damage = (stream) => stream.subarray(0, 300_000);

interface Failure {
  readonly name: string;
  readonly source?: Variant;
  readonly destination?: Variant;
  readonly damage?: Damage;
  /** In what QEMU says: the failure is the one that was meant. */
  readonly qemu: RegExp;
  /** In the explanation: the cause, and the place. */
  readonly explained: readonly RegExp[];
}

const FAILURES: readonly Failure[] = [
  {
    name: "another number of queues",
    destination: { blk: ",num-queues=4" },
    qemu: /Bad config data: i=0x9a read: 1 device: 4/,
    explained: [
      /MSI-X table size: 2 vectors at the source, 5 at the destination/,
      /place .*sections\["0000:00:02\.0\/virtio-blk"\]\.virtio\.pci\.device\.config/,
    ],
  },
  {
    name: "a missing device",
    destination: { noRng: true },
    qemu: /Unknown (savevm )?section or instance '0000:00:03\.0\/virtio-rng' 0/,
    explained: [
      /a device that the destination does not have/,
      /sections\["0000:00:03\.0\/virtio-rng"\]: section/,
    ],
  },
  {
    name: "one serial port less",
    destination: { serials: 1 },
    qemu: /Unknown (savevm )?section or instance 'serial' 1/,
    explained: [/the stream has instances 0, 1 of serial/, /sections\["serial"#1\]: section/],
  },
  {
    name: "another machine type",
    destination: { machine: "pc-i440fx-10.0" },
    qemu: /Machine type received is/,
    explained: [/source pc-q35-10\.0, destination pc-i440fx-10\.0/, /place .*:0x8: configuration/],
  },
  {
    name: "a feature that the destination does not offer",
    source: { blk: ",disable-legacy=on,iommu_platform=on" },
    destination: { blk: ",disable-legacy=on" },
    qemu: /Features 0x[0-9a-f]+ unsupported/,
    explained: [
      /not offered by the destination: bit 33: VIRTIO_F_ACCESS_PLATFORM/,
      /property iommu_platform/,
    ],
  },
  {
    name: "a ROM of another size",
    destination: { net: ",romsize=524288" },
    qemu: /Size mismatch: .*virtio-net-pci\.rom: 0x40000 != 0x80000/,
    explained: [
      /256 KiB \(0x40000\) in the stream, 512 KiB \(0x80000\) at the\s+destination/,
      /firmware files/,
    ],
  },
  {
    name: "a missing ROM",
    destination: { net: ",romfile=" },
    qemu: /Unknown ramblock "0000:00:01\.0\/virtio-net-pci\.rom"/,
    explained: [
      /a block of memory that the destination does not have/,
      /block 0000:00:01\.0\/virtio-net-pci\.rom/,
    ],
  },
  {
    name: "more memory",
    destination: { memory: 32 },
    qemu: /Size mismatch: pc\.ram/,
    explained: [/16 MiB \(0x1000000\) in the stream, 32 MiB \(0x2000000\) at the destination/],
  },
  {
    name: "another guest by its UUID",
    source: { uuid: UUID, capabilities: ["validate-uuid"] },
    destination: { uuid: UUID.replace("1", "2"), capabilities: ["validate-uuid"] },
    qemu: /UUID received is/,
    explained: [/validate-uuid is on, and the two sides have different machines/],
  },
  {
    name: "a file that is cut short",
    damage: cutInMemory,
    qemu: /section id \d+\(ram\)|Failed to load vmstate version_id: 4, ret: -5/,
    explained: [
      /:0x4[0-9a-f]{4}: this stream is damaged: sections\["ram"\]\.parts\[\d+\]: truncated: .*: in page data/,
    ],
  },
  {
    name: "a byte that was changed on the way",
    damage: flipStatus,
    qemu: /Bad config data: i=0x6 read: ef device: 10/,
    explained: [
      /byte 0 of status in the header/,
      /sections\["0000:00:01\.0\/virtio-net"\].*status.*0xef in the stream/,
    ],
  },
  {
    name: "a footer that was lost",
    damage: zeroFooter,
    qemu: /Missing section footer for 0000:00:01\.0\/virtio-net/,
    explained: [/sections\["0000:00:01\.0\/virtio-net"\]/, /this stream is damaged/],
  },
  {
    name: "a byte that was lost",
    damage: dropByte,
    qemu: /virtio-net|section/,
    explained: [/sections\["0000:00:01\.0\/virtio-net"\]/, /this stream is damaged/],
  },
];

describeWith("a migration that fails", newerQemu("x86_64"), (program) => {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-"));
  const plain = join(folder, "plain.mig");

  async function save(variant: Variant, file: string): Promise<void> {
    await using qemu = await startGuest(guest(variant), program, MACHINE, folder);
    await qemu.capabilities(...(variant.capabilities ?? []));
    await qemu.qmp("migrate", { uri: `exec:cat > ${file}` });
    expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  }

  /** What QEMU says before it gives up. */
  async function load(variant: Variant, file: string): Promise<string> {
    const args = [...argumentsOf(guest(variant), variant.machine ?? MACHINE, folder), "-incoming", "defer"];
    await using qemu = await Machine.start(program.path, [...program.args, ...args], folder);
    await qemu.capabilities(...(variant.capabilities ?? []));
    await qemu.qmp("migrate-incoming", { uri: `exec:cat ${file}` });
    expect(await qemu.exit()).not.toBe(0);
    return qemu.stderr;
  }

  beforeAll(() => save({}, plain));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const { name, source, destination = {}, damage, qemu, explained } of FAILURES) {
    it(`for ${name}`, async () => {
      const file = join(folder, "failed.mig");
      if (source !== undefined) await save(source, file);
      else writeFileSync(file, damage?.(readFileSync(plain)) ?? readFileSync(plain));
      const log = await load(destination, file);
      expect(log).toMatch(qemu);
      const { code, out, err } = await virtwire(["explain", log, file]);
      expect([code, err]).toEqual([0, ""]);
      for (const pattern of explained) expect(out).toMatch(pattern);
    });
  }
});
