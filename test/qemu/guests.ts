/** Small guests of every kind of machine that virtio devices live in. They run firmware at most. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Machine } from "./machine.js";
import type { Program, Target } from "./programs.js";

export interface Guest {
  readonly name: string;
  readonly target: Target;
  /** Of the newer QEMU, and of the older one where it is tried on that. */
  readonly machine: { readonly newer: string; readonly older?: string };
  readonly devices: readonly string[];
  /**
   * Its block, and where it lies in the address space of the guest, in bytes. `hidden`: where a ROM lies in front of it, so
   * that no look at the guest's addresses shows it.
   */
  readonly memory: {
    readonly block: string;
    readonly at: number;
    readonly size: number;
    readonly hidden?: { readonly from: number; readonly to: number };
  };
  /** The firmware reads the boot sector of the disk: until then nobody has talked to the device. */
  readonly boots: boolean;
}

const MIB = 1 << 20;
const NOISE = "noise.bin";
/** Where the noise goes in the guest's memory, and how much of it there is. */
const NOISE_OFFSET = 4 * MIB;
const NOISE_SIZE = 2 * MIB;

/** Empty, in the folder of the guest. */
const DISKS = ["disk0.img", "disk1.img"];

const NET = ["-netdev", "user,id=net0", "-device"];
const DISK = ["-drive", "if=none,id=disk0,format=raw,file=disk0.img", "-device"];
const SCSI_DISK = ["-drive", "if=none,id=disk1,format=raw,file=disk1.img", "-device", "scsi-hd,drive=disk1"];
const PORTS = [
  ...["-chardev", "null,id=port0", "-device", "virtconsole,chardev=port0"],
  ...["-chardev", "null,id=port1", "-device", "virtserialport,chardev=port1,name=org.example.port"],
];

const PCI = [
  ...NET,
  "virtio-net-pci,netdev=net0",
  ...DISK,
  "virtio-blk-pci,drive=disk0",
  ...["-device", "virtio-scsi-pci", ...SCSI_DISK, "-device", "virtio-serial-pci", ...PORTS],
  ...["rng", "balloon", "gpu", "keyboard", "tablet"].flatMap((name) => ["-device", `virtio-${name}-pci`]),
];
const MMIO = [
  ...NET,
  "virtio-net-device,netdev=net0",
  ...DISK,
  "virtio-blk-device,drive=disk0",
  ...["-device", "virtio-serial-device", ...PORTS, "-device", "virtio-rng-device"],
];

export const PC: Guest = {
  name: "pc",
  target: "x86_64",
  machine: { newer: "pc-i440fx-10.0", older: "pc-i440fx-7.2" },
  devices: PCI,
  memory: { block: "pc.ram", at: 0, size: 16 * MIB },
  boots: true,
};

export const Q35: Guest = {
  name: "q35",
  target: "x86_64",
  machine: { newer: "pc-q35-10.0", older: "pc-q35-7.2" },
  devices: [
    ...NET,
    "virtio-net-pci,netdev=net0,packed=on,mq=on",
    ...DISK,
    "virtio-blk-pci,drive=disk0,num-queues=4",
  ],
  memory: { block: "pc.ram", at: 0, size: 16 * MIB },
  boots: true,
};

export const GUESTS: readonly Guest[] = [
  PC,
  Q35,
  {
    name: "microvm",
    target: "x86_64",
    machine: { newer: "microvm", older: "microvm" },
    devices: MMIO,
    memory: {
      block: "microvm.ram",
      at: 0,
      size: 16 * MIB,
      hidden: { from: 0xe0000, to: 0x100000 },
    },
    boots: false,
  },
  {
    name: "s390x",
    target: "s390x",
    machine: { newer: "s390-ccw-virtio-10.0" },
    devices: [
      ...NET,
      "virtio-net-ccw,netdev=net0",
      ...DISK,
      "virtio-blk-ccw,drive=disk0,bootindex=1",
      ...["-device", "virtio-scsi-ccw", ...SCSI_DISK, "-device", "virtio-serial-ccw", ...PORTS],
      ...["rng", "balloon", "gpu", "keyboard"].flatMap((name) => ["-device", `virtio-${name}-ccw`]),
    ],
    memory: { block: "s390.ram", at: 0, size: 16 * MIB },
    boots: true,
  },
  {
    name: "aarch64",
    target: "aarch64",
    machine: { newer: "virt-10.0" },
    devices: ["-cpu", "cortex-a57", ...PCI, ...["-device", "virtio-iommu-pci"]],
    memory: { block: "mach-virt.ram", at: 0x4000_0000, size: 16 * MIB },
    boots: false,
  },
  {
    name: "ppc64",
    target: "ppc64",
    machine: { newer: "pseries-10.0" },
    devices: ["-vga", "none", ...PCI],
    memory: { block: "ppc_spapr.ram", at: 0, size: 256 * MIB },
    boots: true,
  },
];

/** The command line of a guest that runs in `folder`, and what it needs there. `machine`: may have options behind commas. */
export function argumentsOf(guest: Guest, machine: string, folder: string): string[] {
  for (const disk of DISKS) writeFileSync(join(folder, disk), new Uint8Array(MIB));
  writeFileSync(join(folder, NOISE), noiseOf(NOISE_SIZE));
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg"],
    // A guest that finds nothing to boot stays, to be migrated.
    ...["-no-shutdown", "-action", "panic=pause"],
    ...["-M", machine, "-m", `${guest.memory.size / MIB}`],
    ...["-device", `loader,file=${NOISE},addr=${guest.memory.at + NOISE_OFFSET},force-raw=on`],
    ...guest.devices,
  ];
}

/** Bytes that no compression and no search for zeroes makes less of, the same every time. */
function noiseOf(size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

/** A guest that has come as far as it gets by itself. */
export async function startGuest(
  guest: Guest,
  program: Program,
  machine: string,
  folder: string,
): Promise<Machine> {
  const qemu = await Machine.start(
    program.path,
    [...program.args, ...argumentsOf(guest, machine, folder)],
    folder,
  );
  if (guest.boots) await qemu.until(async () => (await diskReads(qemu)) > 0);
  return qemu;
}

async function diskReads(qemu: Machine): Promise<number> {
  const devices = (await qemu.qmp("query-blockstats")) as readonly {
    readonly stats: { readonly rd_operations: number };
  }[];
  return devices.reduce((sum, { stats }) => sum + stats.rd_operations, 0);
}
