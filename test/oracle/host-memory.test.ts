/**
 * What programs save as it lies in their memory, written by C programs that gcc lays out: requests in flight of QEMU in
 * both orders, connections of passt. They fill the structures, we must find what they put in.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  decodeQemuVirtqueueElement,
  encodeQemuVirtqueueElement,
  QemuHostAbi,
} from "../../generated/qemu/virtio/element.js";
import { decodePasstState, encodePasstState } from "../../generated/vhost-user/passt-state.js";

const folder = mkdtempSync(join(tmpdir(), "virtwire-memory-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the program writes to its standard output. */
function outputOf(name: string, source: string): Uint8Array {
  writeFileSync(join(folder, `${name}.c`), source);
  execFileSync("gcc", ["-w", "-o", join(folder, name), join(folder, `${name}.c`)]);
  return execFileSync(join(folder, name));
}

/** The declarations of hw/virtio/virtio.c; `put` stores in the order that is asked for. */
const ELEMENT = (put: (bits: number, value: string) => string): string => `
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
typedef uint64_t hwaddr;
typedef struct {
  unsigned int index, out_num, in_num;
  hwaddr in_addr[1024], out_addr[1024];
  struct iovec in_sg[1024], out_sg[1024];
} VirtQueueElementOld;
int main(void) {
  static VirtQueueElementOld e;
  e.index = ${put(32, "7")};
  e.out_num = ${put(32, "1")};
  e.in_num = ${put(32, "1024")};
  for (int i = 0; i < 1024; i++) {
    e.in_addr[i] = ${put(64, "0x100000 + i")};
    e.in_sg[i].iov_len = ${put(64, "4096 + i")};
  }
  e.out_addr[0] = ${put(64, "0xfedcba9876543210")};
  e.out_sg[0].iov_base = (void *)${put(64, "0x7f0000001000")};
  e.out_sg[0].iov_len = ${put(64, "16")};
  fwrite(&e, sizeof e, 1, stdout);
  return 0;
}`;

describe("a request in flight", () => {
  it.each([
    ["little", true, (bits: number, value: string) => `htole${bits}(${value})`],
    ["big", false, (bits: number, value: string) => `htobe${bits}(${value})`],
  ] as const)("of a %s-endian host has its fields where C puts them", (name, littleEndian, put) => {
    const bytes = outputOf(`element-${name}`, ELEMENT(put));
    expect(bytes.length).toBe(49_168);
    const element = decodeQemuVirtqueueElement(bytes, QemuHostAbi.QEMU_HOST_64, littleEndian);
    expect(element.index).toBe(7);
    expect(element.inAddr.length).toBe(1024);
    expect(element.inAddr.at(-1)).toBe(0x100000n + 1023n);
    expect(element.inSg?.at(-1)).toEqual({ iovBase: 0n, iovLen: 4096n + 1023n });
    expect(element.outAddr).toEqual([0xfedcba9876543210n]);
    expect(element.outSg).toEqual([{ iovBase: 0x7f0000001000n, iovLen: 16n }]);
    expect(
      Buffer.from(encodeQemuVirtqueueElement(element, QemuHostAbi.QEMU_HOST_64, littleEndian)).equals(bytes),
    ).toBe(true);
  });
});

/** The same declarations and values as initialised data, which needs no 32-bit libraries to be linked with. */
const ELEMENT_DATA = `
typedef unsigned long long hwaddr;
struct iovec { void *iov_base; __SIZE_TYPE__ iov_len; };
typedef struct {
  unsigned int index, out_num, in_num;
  hwaddr in_addr[1024], out_addr[1024];
  struct iovec in_sg[1024], out_sg[1024];
} VirtQueueElementOld;
__attribute__((section("element"))) VirtQueueElementOld e = {
  .index = 7, .out_num = 1, .in_num = 1024,
  .in_addr = { 0x100000, [1023] = 0xfedcba9876543210 }, .out_addr = { 0x200000 },
  .in_sg = { { 0, 4096 }, [1023] = { (void *)0x1000, 512 } }, .out_sg = { { 0, 16 } },
};`;

/** The data that gcc makes of it for another kind of host. */
function dataOf(name: string, options: readonly string[]): Uint8Array {
  const file = join(folder, name);
  writeFileSync(`${file}.c`, ELEMENT_DATA);
  execFileSync("gcc", [...options, "-w", "-ffreestanding", "-c", "-o", `${file}.o`, `${file}.c`]);
  execFileSync("objcopy", ["-O", "binary", "-j", "element", `${file}.o`, `${file}.bin`]);
  return readFileSync(`${file}.bin`);
}

describe.skipIf(process.arch !== "x64")("a request in flight of a 32-bit host", () => {
  it.each([
    ["x86", QemuHostAbi.QEMU_HOST_I386, ["-m32"], 32_780],
    // What ARM, MIPS and PowerPC do by themselves.
    ["64-bit integers aligned to 8 bytes", QemuHostAbi.QEMU_HOST_32, ["-m32", "-malign-double"], 32_784],
    ["pointers of 64 bits", QemuHostAbi.QEMU_HOST_64, ["-m64"], 49_168],
  ] as const)("has its fields where C puts them: %s", (_, abi, options, size) => {
    const bytes = dataOf(`element-${abi}`, options);
    expect(bytes.length).toBe(size);
    const element = decodeQemuVirtqueueElement(bytes, abi, true);
    expect(element).toMatchObject({ index: 7, outAddr: [0x200000n] });
    expect([element.inAddr[0], element.inAddr[1023]]).toEqual([0x100000n, 0xfedcba9876543210n]);
    const { inSg = element.inSg32 ?? [], outSg = element.outSg32 ?? [] } = element;
    expect([inSg[0], inSg[1023]].map((one) => [Number(one?.iovBase), Number(one?.iovLen)])).toEqual([
      [0, 4096],
      [0x1000, 512],
    ]);
    expect(outSg.map(({ iovLen }) => Number(iovLen))).toEqual([16]);
    expect(Buffer.from(encodeQemuVirtqueueElement(element, abi, true)).equals(bytes)).toBe(true);
  });
});

/** The declarations of passt's tcp_conn.h, flow.h and migrate.c. */
const PASST = `
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
struct header { uint64_t magic; uint32_t version, compat_version; } __attribute__((packed));
struct seen { struct in6_addr addr6, addr6_ll; struct in_addr addr4; unsigned char mac[6]; } __attribute__((packed));
struct flowside { struct in6_addr oaddr, eaddr; in_port_t oport, eport; };
struct transfer {
  uint8_t pif[2];
  struct flowside side[2];
  uint8_t retries, ws_from_tap, ws_to_tap, events;
  uint32_t tap_mss, sndbuf;
  uint8_t flags, seq_dup_ack_approx;
  uint16_t wnd_from_tap, wnd_to_tap;
  uint32_t seq_to_tap, seq_ack_from_tap, seq_from_tap, seq_ack_to_tap, seq_init_from_tap;
} __attribute__((packed, aligned(4)));
struct ext {
  uint32_t seq_snd, seq_rcv, sndq, notsent, rcvq, mss, timestamp, snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup;
  uint8_t snd_ws, rcv_ws, tcpi_state, tcpi_options;
} __attribute__((packed, aligned(4)));
#define PUT(x) fwrite(&x, sizeof x, 1, stdout)
int main(void) {
  struct header h = { htobe64(0xB1BB1D1B0BB1D1B0), htonl(2), htonl(2) };
  struct seen s = { .mac = { 1, 2, 3, 4, 5, 6 } };
  uint32_t count = htonl(2);
  struct transfer t[2] = {
    { .pif = { 1, 2 }, .events = 4, .tap_mss = htonl(1460), .wnd_to_tap = htons(256), .seq_init_from_tap = htonl(99) },
    { .pif = { 2, 1 } },
  };
  t[0].side[1].eport = 8080;
  struct ext e[2] = {
    { .seq_snd = htonl(5), .sndq = htonl(3), .notsent = htonl(1), .rcvq = htonl(2), .tcpi_state = 1, .tcpi_options = 7 },
    // What could not be read: in whatever order, and without its queues.
    { .sndq = 9 },
  };
  PUT(h); PUT(s); PUT(count); PUT(t[0]); PUT(t[1]);
  PUT(e[0]); fwrite("abcde", 5, 1, stdout);
  PUT(e[1]);
  return 0;
}`;

describe("the state of passt", () => {
  it("has its fields where C puts them", () => {
    const bytes = outputOf("passt", PASST);
    const state = decodePasstState(bytes, true);
    expect(state.header).toEqual({ version: 2, compatVersion: 2 });
    expect([...state.addrs.mac]).toEqual([1, 2, 3, 4, 5, 6]);
    const [first, second] = state.flows?.flows ?? [];
    expect(first).toMatchObject({ pif: [1, 2], events: 4, tapMss: 1460, wndToTap: 256, seqInitFromTap: 99 });
    expect(first?.side[1]).toMatchObject({ oport: 0, eport: 8080 });
    expect(second?.pif).toEqual([2, 1]);
    const [sound, unread] = state.flows?.ext ?? [];
    expect(sound).toMatchObject({ seqSnd: 5, notsent: 1, tcpiOptions: 7 });
    expect(Buffer.from(sound?.sndQueue ?? []).toString()).toBe("abc");
    expect(Buffer.from(sound?.rcvQueue ?? []).toString()).toBe("de");
    expect(unread).toMatchObject({ tcpiState: 0, sndQueue: undefined });
    expect(Buffer.from(encodePasstState(state, true)).equals(bytes)).toBe(true);
  });
});
