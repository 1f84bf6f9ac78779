/**
 * Large streams: the devices of a real capture behind as much memory as is wanted. Devices are what differs between
 * readers, pages are what there is much of, and no guest of that size has to run for it.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  encodeRamBlockEntry,
  encodeRamSaveWord,
  encodeRamSaveZero,
  RamSaveFlag,
} from "../../generated/qemu/ram.js";
import {
  encodeQemuConfigurationCapabilities,
  encodeQemuString8,
  encodeQemuVmRecord,
  encodeQemuVmSubsection,
  QemuVmSection,
} from "../../generated/qemu/stream.js";
import { QemuStreamParser } from "../../src/streams/index.js";

/** Two virtio devices, or twelve. */
export type Devices = "few" | "many";

const CAPTURES: Readonly<Record<Devices, string>> = {
  few: "x86-q35-net-blk.bin",
  many: "x86-q35-zoo-devices.bin.gz",
};
const PAGE = 4096;
const BLOCK = "pc.ram";
/** A number that no capture gives to a section. */
const SECTION = 1000;
const MAPPED_ALIGNMENT = 1 << 20;

/** A precopy stream with so many pages of data and so many of zeroes. */
export function writePrecopy(path: string, devices: Devices, pages: number, zeroPages: number): void {
  const fd = openSync(path, "w");
  const { head, tail } = frame(devices);
  writeSync(fd, head);
  const size = (pages + zeroPages) * PAGE;
  writeSync(fd, ramHead("start"));
  writeSync(fd, word(size, RamSaveFlag.RAM_SAVE_FLAG_MEM_SIZE));
  writeSync(fd, encodeRamBlockEntry({ idstr: { text: BLOCK }, usedLength: size }, false, false, false));
  writeSync(fd, ramEnd());
  writeSync(fd, ramHead("end"));
  // The first record names the block, the others go on in it.
  writeSync(fd, word(0, RamSaveFlag.RAM_SAVE_FLAG_ZERO));
  writeSync(fd, encodeQemuString8({ text: BLOCK }));
  writeSync(fd, encodeRamSaveZero({ fill: 0 }));
  const data = new Uint8Array(PAGE).fill(0x5a);
  const { RAM_SAVE_FLAG_CONTINUE, RAM_SAVE_FLAG_PAGE, RAM_SAVE_FLAG_ZERO } = RamSaveFlag;
  for (let i = 0; i < pages; i++) {
    writeSync(fd, word(i * PAGE, RAM_SAVE_FLAG_PAGE | RAM_SAVE_FLAG_CONTINUE));
    writeSync(fd, data);
  }
  const zero = encodeRamSaveZero({ fill: 0 });
  for (let i = 0; i < zeroPages; i++) {
    writeSync(fd, word((pages + i) * PAGE, RAM_SAVE_FLAG_ZERO | RAM_SAVE_FLAG_CONTINUE));
    writeSync(fd, zero);
  }
  writeSync(fd, ramEnd());
  writeSync(fd, tail);
  closeSync(fd);
}

/** A mapped-ram file of so many bytes of memory, no page of which is in it: all of it holes on the disk. */
export function writeSparse(path: string, size: number): void {
  const fd = openSync(path, "w");
  const { head, tail } = frame("few", ["mapped-ram"]);
  writeSync(fd, head);
  writeSync(fd, ramHead("start"));
  writeSync(fd, word(size, RamSaveFlag.RAM_SAVE_FLAG_MEM_SIZE));
  const entry = (bitmapOffset: number, pagesOffset: number): Uint8Array => {
    const mapped = { version: 1, pageSize: PAGE, bitmapOffset, pagesOffset };
    return encodeRamBlockEntry({ idstr: { text: BLOCK }, usedLength: size, mapped }, false, false, true);
  };
  const before = head.length + ramHead("start").length + word(size, 0).length;
  const bitmapOffset = before + entry(0, 0).length;
  const bitmap = new Uint8Array(Math.ceil(size / PAGE / 64) * 8);
  const pagesOffset = Math.ceil((bitmapOffset + bitmap.length) / MAPPED_ALIGNMENT) * MAPPED_ALIGNMENT;
  writeSync(fd, entry(bitmapOffset, pagesOffset));
  writeSync(fd, bitmap);
  let at = pagesOffset + size;
  for (const bytes of [ramEnd(), ramHead("end"), ramEnd(), tail]) {
    writeSync(fd, bytes, 0, bytes.length, at);
    at += bytes.length;
  }
  closeSync(fd);
}

interface Frame {
  /** File header and configuration, with the capabilities. */
  readonly head: Uint8Array;
  /** What stands behind the last part of `ram`. */
  readonly tail: Uint8Array;
}

function frame(devices: Devices, capabilities: readonly string[] = []): Frame {
  const name = CAPTURES[devices];
  const file = readFileSync(new URL(`../../test/captures/${name}`, import.meta.url));
  const capture = new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
  let headEnd = 0;
  // Behind the configuration where the memory was left out.
  let tailAt = 0;
  const parser = new QemuStreamParser((event) => {
    if (event.kind === "configuration") headEnd = tailAt = event.at + event.size;
    if (event.kind === "section" && event.name === "ram") tailAt = event.at + event.size;
  });
  parser.push(capture);
  parser.end();
  const head: Uint8Array[] = [capture.subarray(0, headEnd)];
  if (capabilities.length > 0) head.push(capabilitiesOf(capabilities));
  return { head: joined(head), tail: capture.subarray(tailAt) };
}

function capabilitiesOf(names: readonly string[]): Uint8Array {
  const name = { text: "configuration/capabilities" };
  return joined([
    encodeQemuVmSubsection({ name, versionId: 1 }),
    encodeQemuConfigurationCapabilities({ capabilities: names.map((text) => ({ text })) }),
  ]);
}

function ramHead(phase: "start" | "end"): Uint8Array {
  const reference = { sectionId: SECTION };
  return phase === "start"
    ? encodeQemuVmRecord({
        type: QemuVmSection.QEMU_VM_SECTION_START,
        head: { case: "start", value: { ...reference, idstr: { text: "ram" }, instanceId: 0, versionId: 4 } },
      })
    : encodeQemuVmRecord({
        type: QemuVmSection.QEMU_VM_SECTION_END,
        head: { case: "end", value: reference },
      });
}

/** EOS and the footer. */
function ramEnd(): Uint8Array {
  return joined([
    word(0, RamSaveFlag.RAM_SAVE_FLAG_EOS),
    encodeQemuVmRecord({
      type: QemuVmSection.QEMU_VM_SECTION_FOOTER,
      head: { case: "footer", value: { sectionId: SECTION } },
    }),
  ]);
}

function word(offset: number, flags: number): Uint8Array {
  const low = offset % 2 ** 32;
  return encodeRamSaveWord({
    addressHigh: Math.floor(offset / 2 ** 32),
    addressLow: low / 2 ** 10,
    flags,
  });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
