import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const path = (name: string) => fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
const IN_FLIGHT = path("virtio-states/in-flight.bin.gz");
const SERIAL = path("virtio-states/serial.bin.gz");
const I386 = path("virtio-states/in-flight-i386.bin.gz");

interface Queue {
  readonly index: number;
  readonly saved_heads?: readonly number[];
  readonly in_flight: {
    readonly heads: readonly number[];
    readonly certain: boolean;
    readonly buffers: readonly {
      readonly head: number;
      readonly descriptors: readonly {
        readonly addr: number;
        readonly len: number;
        readonly flags: number;
      }[];
    }[];
  };
}

interface Device {
  readonly device: string;
  readonly queues: readonly Queue[];
}

async function devicesOf(file: string): Promise<readonly Device[]> {
  const { code, out, err } = await virtwire(["rings", file, "--format", "json"]);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out) as readonly Device[];
}

/** What QEMU saved of the requests themselves, by the device's section and in the order in which they were taken. */
async function savedParts(file: string, section: string): Promise<string[]> {
  const field = `sections[${section}].**.element`;
  const { out } = await virtwire([
    ...["get", file, "--format", "jsonl"],
    ...["out_addr", "in_addr"].map((name) => `${field}.${name}[*]`),
  ]);
  return out
    .trim()
    .split("\n")
    .map((line) => String((JSON.parse(line) as { readonly value: number }).value))
    .sort();
}

describe("virtwire rings", () => {
  it.each([
    [IN_FLIGHT, "0000:00:02.0/virtio-blk", [[0, 4]]],
    [IN_FLIGHT, "0000:00:03.0/virtio-blk", [[0], [0]]],
    [IN_FLIGHT, "0000:00:04.0/virtio-blk", [[0]]],
    [SERIAL, "0000:00:02.0/virtio-console", [[], [], [], [], [], [0]]],
    [I386, "0000:00:02.0/virtio-blk", [[0, 4]]],
    [I386, "0000:00:03.0/virtio-blk", [[0], [0]]],
    [I386, "0000:00:06.0/virtio-console", [[], [], [], [], [], [0]]],
  ])("finds the requests in flight that QEMU has saved: %s, %s", async (file, section, heads) => {
    const device = (await devicesOf(file)).find((one) => one.device === section);
    expect(device?.queues.map((queue) => queue.in_flight.heads)).toEqual(heads);
    expect(device?.queues.map((queue) => queue.saved_heads)).toEqual(heads);
    expect(device?.queues.every((queue) => queue.in_flight.certain)).toBe(true);
    const parts = device?.queues.flatMap(({ in_flight }) =>
      in_flight.buffers.flatMap(({ descriptors }) => descriptors.map(({ addr }) => String(addr))),
    );
    expect(parts?.sort()).toEqual(await savedParts(file, section));
  });

  it.each([IN_FLIGHT, I386])(
    "finds those of a SCSI controller, which its disk has saved: %s",
    async (file) => {
      const device = (await devicesOf(file)).find((one) => one.device === "0000:00:05.0/virtio-scsi");
      const parts = device?.queues.flatMap(({ in_flight }) =>
        in_flight.buffers.flatMap(({ descriptors }) => descriptors.map(({ addr }) => String(addr))),
      );
      expect(parts?.sort()).toEqual(await savedParts(file, "0000:00:05.0/0:0:0/scsi-disk"));
      // Behind the control queue and the event queue.
      const busy = device?.queues.filter(({ in_flight }) => in_flight.heads.length > 0);
      expect(busy?.map(({ index }) => index)).toEqual([3, 4]);
    },
  );

  it("shows indices, buffers and what the device has saved", async () => {
    const { code, out } = await virtwire(["rings", IN_FLIGHT, "--device", "0000:00:02.0"]);
    expect(code).toBe(0);
    expect(out).toBe(`0000:00:02.0/virtio-blk: 1 of 1 virtqueues set up, split, little-endian, event index
  VQ  size  avail.idx  last_avail_idx  used.idx  waiting  in flight
   0    16          2               2         0        0          2  sound
  VQ 0: descriptors at 0x100000, available ring at 0x100100, used ring at 0x100130, used_event 0, avail_event 2
    in flight: head 0
        0      0x1081c0  16 bytes, the device reads (NEXT)
        1      0x1081d0  256 bytes, the device writes (NEXT | WRITE)
        2      0x1082d0  256 bytes, the device writes (NEXT | WRITE)
        3      0x1083d0  1 byte, the device writes (WRITE)
    in flight: head 4
        4      0x1083e0  16 bytes, the device reads (NEXT)
        5      0x1083f0  1024 bytes, the device reads (NEXT)
        6      0x1087f0  1 byte, the device writes (WRITE)
    the device has saved the same requests
`);
  });

  it("reads the rings of a big-endian guest, and those that come in through other channels", async () => {
    const s390x = await virtwire(["rings", path("s390x-ccw.bin"), "--device", "virtio-blk"]);
    expect(s390x.out).toContain("1 of 1 virtqueues set up, split, big-endian");
    expect(s390x.out).toContain("256          5               5         5        0          0  sound");
    const main = path("x86-q35-multifd-main.bin");
    const alone = await virtwire(["rings", main, "--device", "virtio-blk"]);
    expect(alone.code).toBe(0);
    expect(alone.out).toMatch(
      /the available ring at 0x[0-9a-f]+ is not known: the page pc\.ram\+0x[0-9a-f]+ was never sent/,
    );
    const folder = temporaryFolder();
    const channels = [0, 1].map((i) => {
      const file = join(folder, `channel${i}.bin`);
      writeFileSync(file, gunzipSync(readFileSync(path(`x86-q35-multifd-channel${i}.bin.gz`))));
      return file;
    });
    const whole = await virtwire(["rings", main, ...channels, "--device", "virtio-blk"]);
    expect(whole.out).toMatch(/ sound$/m);
  });

  it("reads a pipe, and prints an object a line", async () => {
    const input = [gunzipSync(readFileSync(IN_FLIGHT))];
    const { code, out } = await virtwire(["rings", "-", "--format", "jsonl"], { input });
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as Device).device),
    ).toEqual([
      "0000:00:02.0/virtio-blk",
      "0000:00:03.0/virtio-blk",
      "0000:00:04.0/virtio-blk",
      "0000:00:05.0/virtio-scsi",
    ]);
  });

  it("gives 4 where the stream is damaged, and shows what it can", async () => {
    const bytes = gunzipSync(readFileSync(IN_FLIGHT));
    const file = join(temporaryFolder(), "cut.bin");
    const at = bytes.indexOf("0000:00:03.0/virtio-blk");
    writeFileSync(file, bytes.subarray(0, at + 200));
    const { code, out } = await virtwire(["rings", file]);
    expect(code).toBe(4);
    expect(out).toContain("0000:00:02.0/virtio-blk: 1 of 1 virtqueues set up");
  });

  it("names the devices that there are", async () => {
    const { code, err } = await virtwire(["rings", IN_FLIGHT, "--device", "virtio-net"]);
    expect(code).toBe(2);
    expect(err).toContain('called "virtio-net": there are 0000:00:02.0/virtio-blk, 0000:00:03.0/virtio-blk');
  });
});

describe("virtwire explain, of indices that do not fit", () => {
  const line = "VQ 0 size 0x10 Guest index 0xfff8 inconsistent with Host index 0x2: delta 0xfff6";
  const said = async (...argv: string[]) => {
    const { code, out, err } = await virtwire(["explain", ...argv]);
    expect([code, err]).toEqual([0, ""]);
    return out.replace(/\s+/g, " ");
  };

  it("says that the rings of the file are sound, where they are", async () => {
    const out = await said(line, IN_FLIGHT);
    expect(out).toContain("0000:00:02.0/virtio-blk, VQ 0");
    expect(out).toContain("avail.idx 2, last_avail_idx 2, used.idx 0: these fit");
  });

  it("says that no queue of the file stands there", async () => {
    expect(await said(line.replace("0x2:", "0x7:"), IN_FLIGHT)).toContain("it is not the stream that failed");
  });

  it("finds the index that was spoiled, and where it lies", async () => {
    const bytes = gunzipSync(readFileSync(IN_FLIGHT));
    const json = JSON.parse((await virtwire(["explain", line, IN_FLIGHT, "--format", "json"])).out) as {
      readonly explanations: readonly {
        readonly places: readonly { readonly at: number; readonly text: string }[];
      }[];
    };
    const ring = json.explanations[0]?.places.find(({ text }) => text.startsWith("the available ring"));
    const file = join(temporaryFolder(), "spoiled.bin");
    bytes.writeUInt16LE(0xfff8, (ring?.at ?? 0) + 2);
    writeFileSync(file, bytes);
    const out = await said(line, file);
    expect(out).toContain("avail.idx 65528 (0xfff8), last_avail_idx 2, used.idx 0: the stream itself is so");
    expect(out).toContain("the page of the available ring, which the guest writes, is older");
    const { code, out: rings } = await virtwire(["rings", file, "--device", "0000:00:02.0"]);
    expect(code).toBe(1);
    expect(rings).toContain(`QEMU: ${line}\n`);
  });
});
