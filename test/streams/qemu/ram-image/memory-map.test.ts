import { describe, expect, it } from "vitest";
import { addressesOf, guestAddress } from "../../../../src/streams/index.js";

const GiB = 2 ** 30;
const block = (name: string, usedLength: number) => ({ name, usedLength, pageSize: 4096 });

/** The examples stand in a comment of QEMU's pc_piix.c; q35 and the bases in the sources of the machines. */
describe("guest-physical addresses", () => {
  it.each([
    ["pc-i440fx-10.0", 4 * GiB, 3 * GiB - 1, 3 * GiB - 1],
    ["pc-i440fx-10.0", 4 * GiB, 4 * GiB, 3 * GiB],
    ["pc-i440fx-10.0", 3.25 * GiB, 3.2 * GiB, 3.2 * GiB],
    ["pc-i440fx-1.7", 4 * GiB, 3.25 * GiB, 3.25 * GiB],
    ["pc-i440fx-1.7", 4 * GiB, 4 * GiB, 3.5 * GiB],
    ["pc-q35-10.0", 2.5 * GiB, 2.25 * GiB, 2.25 * GiB],
    ["pc-q35-10.0", 4 * GiB, 4 * GiB + 16, 2 * GiB + 16],
  ])("%s of %i bytes has 0x%x at 0x%x of its memory", (machine, size, address, offset) => {
    expect(guestAddress(machine, [block("pc.ram", size)], address)).toMatchObject({
      block: "pc.ram",
      offset,
    });
  });

  it("are found from the block as well, in two pieces where the memory is split", () => {
    const blocks = [block("pc.ram", 4 * GiB), block("pc.bios", 0x40000)];
    const found = (name: string, offset: number, size: number) =>
      addressesOf("pc-q35-10.0", blocks, name, offset, size);
    expect(found("pc.ram", 2 * GiB - 16, 48)).toEqual([
      { address: 2 * GiB - 16, size: 16 },
      { address: 4 * GiB, size: 32 },
    ]);
    expect(found("pc.bios", 0x3fff0, 16)).toEqual([{ address: 4 * GiB - 16, size: 16 }]);
    expect(found("vga.vram", 0, 16)).toEqual([]);
    expect(addressesOf(undefined, blocks, "pc.ram", 0, 16)).toEqual([]);
  });

  it("begins where the machine says", () => {
    const place = (machine: string, name: string, address: number) =>
      guestAddress(machine, [block(name, GiB)], address);
    expect(place("virt-10.0", "mach-virt.ram", GiB + 5)).toMatchObject({ offset: 5 });
    expect(place("virt", "riscv_virt_board.ram", 2 * GiB + 5)).toMatchObject({ offset: 5 });
    expect(place("s390-ccw-virtio-10.0", "s390.ram", 5)).toMatchObject({ offset: 5 });
    expect(place("pseries-10.0", "ppc_spapr.ram", 5)).toMatchObject({ offset: 5 });
    expect(place("microvm", "microvm.ram", 5)).toMatchObject({ offset: 5 });
  });

  it("has the firmware of x86 below 4 GiB", () => {
    const blocks = [block("pc.ram", GiB), block("pc.bios", 0x40000)];
    expect(guestAddress("pc-q35-10.0", blocks, 0xfffffff0)).toMatchObject({
      block: "pc.bios",
      offset: 0x3fff0,
    });
    expect(guestAddress("pc-q35-10.0", blocks, 0xc0000)).toMatchObject({
      note: expect.stringContaining("chipset"),
    });
  });

  it.each([
    [undefined, block("pc.ram", GiB), 0],
    ["virt-10.0", block("mem0", GiB), GiB],
    ["raspi3b", block("ram", GiB), 0],
    ["pc-q35-10.0", block("pc.ram", GiB), GiB],
    ["virt-10.0", block("mach-virt.ram", GiB), 0],
    ["pc-q35-10.0", block("pc.ram", 2048 * GiB), 0],
    ["pc-q35-10.0", block("0000:00:02.0/vga.vram", GiB), 0],
  ])("says what it does not know: %s", (machine, one, address) => {
    expect(guestAddress(machine, [one], address)).toEqual({ problem: expect.any(String) });
  });

  it("takes the memory backend that there is for the machine's own, and none of several", () => {
    const blocks = [
      block("mem0", 4 * GiB),
      block("pc.bios", 0x40000),
      block("/rom@etc/acpi/tables", 0x20000),
    ];
    expect(guestAddress("pc-q35-10.0", blocks, 5 * GiB)).toMatchObject({ block: "mem0", offset: 3 * GiB });
    const nodes = [block("node0", GiB), block("node1", GiB)];
    expect(guestAddress("pc-q35-10.0", nodes, 0)).toEqual({ problem: expect.any(String) });
  });
});
