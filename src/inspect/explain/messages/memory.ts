/** Messages about guest memory: blocks, pages, and the flags of their records. */
import { ramSaveFlagNames } from "../../../../generated/qemu/ram.js";
import { hex } from "../../report.js";
import type { Message, Place, Source } from "../message.js";
import { damagePlaces, type Scene, sectionPlace, sectionsOf, subjectPlaces } from "../scene.js";

const ram = (name: string): Source => ({ project: "QEMU", file: "migration/ram.c", function: name });
const physmem = (name: string): Source => ({ project: "QEMU", file: "system/physmem.c", function: name });

const ROM =
  "ROM blocks (*.rom, pc.bios, /rom@…) take their size from the firmware files: use the same packages of firmware on both sides.";

export const memoryMessages: readonly Message[] = [
  {
    id: "block-unknown",
    format: 'Unknown ramblock "%s", cannot accept migration',
    values: ["block"],
    source: ram("parse_ramblocks"),
    meaning: "The stream holds a block of memory that the destination does not have.",
    remedy:
      "Memory devices, ROMs of cards and memory backends must be the same on both sides, with the same ids and in the same slots.",
    causes: (values, scene) => blockCauses(values.text("block"), scene),
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-size",
    format: "Size mismatch: %s: 0x%llx != 0x%llx",
    values: ["block", "source", "local"],
    source: physmem("qemu_ram_resize"),
    meaning: "A block of memory has another size at the destination, and cannot change it.",
    remedy: `Give both sides the same memory size. ${ROM}`,
    causes: (values) => [
      `${values.text("block")}: ${bytes(values.big("source"))} in the stream, ${bytes(values.big("local"))} at the destination`,
    ],
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-too-large",
    format: "Size too large: %s: 0x%llx > 0x%llx",
    values: ["block", "source", "limit"],
    source: physmem("qemu_ram_resize"),
    meaning: "A block of memory is larger in the stream than it can become at the destination.",
    remedy: ROM,
    causes: (values) => [
      `${values.text("block")}: ${bytes(values.big("source"))} in the stream, at most ${bytes(values.big("limit"))} at the destination`,
    ],
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-page-size",
    format: "Mismatched RAM page size %s (local) %zd != %lld",
    values: ["block", "local", "source"],
    source: ram("parse_ramblock"),
    meaning: "Postcopy needs the same host page size for a block on both sides.",
    remedy: "Back the block with pages of the same size (huge pages or not) on both sides.",
    causes: (values) => [
      `${values.text("block")}: ${bytes(values.big("source"))} pages at the source, ${bytes(values.big("local"))} at the destination`,
    ],
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-address",
    format: "Mismatched GPAs for block %s %lld!= %lld",
    values: ["block", "source", "local"],
    source: ram("parse_ramblock"),
    meaning: "With x-ignore-shared a shared block must be at the same guest address on both sides.",
    remedy: "Use the same machine type, memory size and memory devices on both sides.",
    causes: (values) => [`source ${hex(values.big("source"))}, destination ${hex(values.big("local"))}`],
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-not-migrated",
    format: "block %s should not be migrated !",
    values: ["block"],
    source: ram("parse_ramblock"),
    meaning: "The stream holds a block that the destination excludes from migration.",
    remedy:
      "The device that owns it is configured to migrate it at one side only, e.g. an ivshmem or a memory backend with x-ignore-shared.",
    places: (values, scene) => blockPlaces(values.text("block"), scene),
  },
  {
    id: "block-not-found",
    format: "Can't find block %s",
    values: ["block"],
    source: ram("ram_block_from_stream"),
    meaning: "A page came for a block that the destination does not have.",
    remedy:
      "The list of blocks was accepted before: the destination is out of step, or the stream is damaged.",
    causes: (values, scene) => blockCauses(values.text("block"), scene),
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-without-block",
    format: "Ack, bad migration stream!",
    values: [],
    source: ram("ram_block_from_stream"),
    meaning: "A page says that it belongs to the same block as the one before, and there was none.",
    remedy: "The destination is out of step, or the stream is damaged.",
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-offset",
    format: "Illegal RAM offset %llx",
    values: ["offset"],
    source: ram("ram_load_precopy"),
    meaning: "A page lies outside its block.",
    remedy: "The destination is out of step, or the stream is damaged.",
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-flags",
    format: "Unknown combination of migration flags: 0x%x",
    values: ["flags"],
    source: ram("ram_load_precopy"),
    meaning:
      "The word in front of a page has flags that do not go together, or that the destination does not know.",
    remedy:
      "A capability is on at the source only (multifd, mapped-ram, xbzrle), the source is newer, or the destination is out of step.",
    causes: (values) => flagCauses(values.number("flags")),
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-flags-unexpected",
    format: "Unexpected RAM flags: %d",
    values: ["flags"],
    source: ram("ram_load_precopy"),
    meaning: "With mapped-ram, pages lie in their own part of the file and never among the records.",
    remedy: "The capability mapped-ram is on at the destination only.",
    causes: (values) => flagCauses(values.number("flags")),
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-not-zero",
    format: "Found a zero page with value %d",
    values: ["value"],
    source: ram("ram_load_precopy"),
    meaning: "The record of a page of zeroes is followed by another byte than zero.",
    remedy: "The destination is out of step, or the stream is damaged.",
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-xbzrle",
    format: "Failed to decompress XBZRLE page at %llx",
    values: ["offset"],
    source: ram("ram_load_precopy"),
    meaning:
      "A page was sent as changes to what the destination already has, and the two do not fit together.",
    remedy: "Turn xbzrle off, and migrate again.",
    places: (_, scene) => memoryPlaces(scene),
  },
  {
    id: "page-unreadable",
    format: "Getting RAM address failed",
    values: [],
    source: ram("ram_load_precopy"),
    meaning: "The stream ended, or the connection failed, in front of a page.",
    remedy: "Look for the reason at the source and in the network. With a file: it is cut short.",
    places: (_, scene) => memoryPlaces(scene),
  },
];

function bytes(size: bigint): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = size;
  while (value >= 1024n && value % 1024n === 0n && unit < units.length - 1) {
    value /= 1024n;
    unit++;
  }
  return `${value} ${units[unit]} (${hex(size)})`;
}

function flagCauses(flags: number): string[] {
  const names = ramSaveFlagNames(flags);
  return names.length === 0 ? [] : [`${hex(flags)} is ${names.join(" | ")}`];
}

function blockCauses(name: string, { file, other }: Scene): string[] {
  const causes: string[] = [];
  if (file !== undefined && !file.blocks.some((block) => block.name === name))
    causes.push(
      `${file.name} has no block ${name}: this is another migration, or the destination is out of step`,
    );
  if (other !== undefined && !other.blocks.some((block) => block.name === name))
    causes.push(
      `${other.name} has no block ${name}; its blocks: ${other.blocks.map((block) => block.name).join(", ")}`,
    );
  return causes;
}

function memoryPlaces(scene: Scene): Place[] {
  const { file } = scene;
  if (file === undefined) return [];
  return [
    ...damagePlaces(file),
    ...sectionsOf(file, "ram").map((section) => sectionPlace(file, section, "the section of guest memory")),
  ];
}

function blockPlaces(name: string, scene: Scene): Place[] {
  const { file } = scene;
  const block = file?.blocks.find((one) => one.name === name);
  const [section] = sectionsOf(file, "ram");
  if (file === undefined || block === undefined || section === undefined) return subjectPlaces(scene);
  return [sectionPlace(file, section, `block ${name}: ${bytes(BigInt(block.size))}`)];
}
