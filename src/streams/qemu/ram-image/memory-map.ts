/**
 * Where in the blocks a guest-physical address lies. A stream does not carry the map; that of the machine types below follows
 * from the type and the size of the memory, unless somebody moved the split of x86 with max-ram-below-4g.
 * @source QEMU 10.0.2, hw/i386/pc_piix.c, pc_q35.c, microvm.c, hw/arm/virt.c, hw/riscv/virt.c, hw/s390x, hw/ppc/spapr.c
 */
import type { ImageBlock } from "./image.js";

export type MemoryPlace =
  | { readonly block: string; readonly offset: number; readonly note: string | undefined }
  /** There is no memory at the address, or it cannot be told: why. */
  | { readonly problem: string };

const GiB = 2 ** 30;
/** Recent machine types for AMD processors move what would reach into the hole below 1 TiB. */
const HOLE_AT = 1012 * GiB;
const VGA_AT = 0xa0000;
const MiB = 2 ** 20;

interface Machine {
  readonly names: RegExp;
  readonly block: string;
  readonly hasVgaHole?: true;
  /** First address of the memory. */
  readonly base: number;
  /** How much of the memory lies below 4 GiB, where the rest goes on at 4 GiB. */
  readonly low?: (size: number, machine: string) => number;
}

const MACHINES: readonly Machine[] = [
  { names: /^(?:pc|pc-i440fx-.*)$/, block: "pc.ram", base: 0, hasVgaHole: true, low: lowOfPc },
  {
    names: /^(?:q35|pc-q35-.*)$/,
    block: "pc.ram",
    base: 0,
    hasVgaHole: true,
    low: (size) => (size >= 0xb0000000 ? 2 * GiB : size),
  },
  { names: /^microvm/, block: "microvm.ram", base: 0, low: (size) => Math.min(size, 3 * GiB) },
  { names: /^virt(?:-.*)?$/, block: "mach-virt.ram", base: GiB },
  { names: /^virt(?:-.*)?$/, block: "riscv_virt_board.ram", base: 2 * GiB },
  { names: /^s390-ccw-virtio/, block: "s390.ram", base: 0 },
  { names: /^pseries/, block: "ppc_spapr.ram", base: 0 },
];

/** A stretch of guest-physical addresses that is a stretch of a block. */
export interface MappedRange {
  readonly address: number;
  readonly size: number;
}

interface Piece extends MappedRange {
  readonly block: string;
  readonly offset: number;
  readonly hasVgaHole?: boolean | undefined;
}

export function guestAddress(
  machine: string | undefined,
  blocks: readonly ImageBlock[],
  address: number,
): MemoryPlace {
  const map = mapOf(machine, blocks);
  if ("problem" in map) return map;
  for (const piece of map.pieces) {
    const within = address - piece.address;
    if (within < 0 || within >= piece.size) continue;
    const offset = piece.offset + within;
    const note =
      piece.hasVgaHole && offset >= VGA_AT && offset < MiB
        ? "what the guest sees from 0xa0000 to 0xfffff is up to its chipset; this is the memory behind"
        : undefined;
    return { block: piece.block, offset, note };
  }
  return { problem: `no memory at 0x${address.toString(16)} in the map of ${machine}` };
}

/** Where the guest sees bytes of a block; nothing where the map does not have them, or is not known. */
export function addressesOf(
  machine: string | undefined,
  blocks: readonly ImageBlock[],
  block: string,
  offset: number,
  size: number,
): MappedRange[] {
  const map = mapOf(machine, blocks);
  if ("problem" in map) return [];
  return map.pieces.flatMap((piece) => {
    const from = Math.max(offset, piece.offset);
    const to = Math.min(offset + size, piece.offset + piece.size);
    if (piece.block !== block || from >= to) return [];
    return [{ address: piece.address + from - piece.offset, size: to - from }];
  });
}

type MemoryMap = { readonly pieces: readonly Piece[] } | { readonly problem: string };

function mapOf(machine: string | undefined, blocks: readonly ImageBlock[]): MemoryMap {
  if (machine === undefined) return { problem: "the stream does not name the machine: use BLOCK+OFFSET" };
  const sizes = new Map(blocks.map(({ name, usedLength }) => [name, usedLength]));
  const known = machineOf(machine, sizes);
  if (known === undefined) {
    return { problem: `the memory map of ${machine} with these blocks is not known: use BLOCK+OFFSET` };
  }
  const { block, base, hasVgaHole } = known;
  const size = sizes.get(block) ?? 0;
  if (known.low === undefined) return { pieces: [{ block, offset: 0, address: base, size, hasVgaHole }] };
  const low = known.low(size, machine);
  if (size - low + 4 * GiB > HOLE_AT) {
    return { problem: "where so much memory lies depends on the processor: use BLOCK+OFFSET" };
  }
  const bios = sizes.get("pc.bios") ?? 0;
  return {
    pieces: [
      { block, offset: 0, address: base, size: low, hasVgaHole },
      { block, offset: low, address: 4 * GiB, size: size - low },
      { block: "pc.bios", offset: 0, address: 4 * GiB - bios, size: bios },
    ],
  };
}

/**
 * With a memory backend of the user's the machine's block is called as that is. Blocks of devices and of firmware have a
 * slash or a dot in their names; where more than one has none, which is the machine's memory cannot be told.
 */
function machineOf(machine: string, sizes: ReadonlyMap<string, number>): Machine | undefined {
  const named = MACHINES.filter(({ names }) => names.test(machine));
  const own = named.find(({ block }) => sizes.has(block));
  const [only, another] = named;
  if (own !== undefined || only === undefined || another !== undefined) return own;
  const [backend, second] = [...sizes.keys()].filter((name) => !/[./]/.test(name));
  return backend === undefined || second !== undefined ? undefined : { ...only, block: backend };
}

/** Since 1.8 memory that has to be split is split at 3 GiB; before, at 3.5 GiB. */
function lowOfPc(size: number, machine: string): number {
  if (size < 0xe0000000) return size;
  const [, major, minor] = /^pc-i440fx-(\d+)\.(\d+)$/.exec(machine) ?? [];
  const isOld = Number(major) === 0 || (Number(major) === 1 && Number(minor) < 8);
  return isOld ? 0xe0000000 : 3 * GiB;
}
