/**
 * Virtqueues out of a stream's memory, held against what a real QEMU says of them: over QMP while it has them, and on its
 * standard error when it loads a stream whose rings were spoiled.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { guestPlace, RamImageBuilder } from "../../src/streams/index.js";
import { temporaryFolder, virtwire } from "../cli/harness.js";
import { describeWith } from "./describe-with.js";
import { argumentsOf, type Guest, Q35, startGuest } from "./guests.js";
import { Machine } from "./machine.js";
import { newerQemu, type Program } from "./programs.js";

const MACHINE = Q35.machine.newer;
const DISK = "0000:00:01.0/virtio-blk";

/** Every read fails, and the machine stops with the request in flight. */
const FAILING = [
  "if=none,id=disk0,driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename=disk0.img",
  "inject-error.0.event=none,inject-error.0.errno=5,inject-error.0.iotype=read",
].join(",");

function guestWith(drive: string): Guest {
  return { ...Q35, devices: ["-drive", drive, "-device", "virtio-blk-pci,drive=disk0,rerror=stop"] };
}

/** No read of its disk ever ends. */
const STUCK: Guest = { ...guestWith(FAILING), boots: false };
const IDLE = guestWith("if=none,id=disk0,format=raw,file=disk0.img");

interface QueueStatus {
  readonly inuse: number;
  readonly "vring-num": number;
  readonly "vring-desc": number;
  readonly "vring-avail": number;
  readonly "vring-used": number;
  readonly "last-avail-idx": number;
  readonly "shadow-avail-idx": number;
  readonly "used-idx": number;
}

interface QueueElement {
  readonly index: number;
  readonly descs: readonly {
    readonly addr: number;
    readonly len: number;
    readonly flags: readonly string[];
  }[];
}

interface Rings {
  readonly device: string;
  readonly queues: readonly {
    readonly index: number;
    readonly size: number;
    readonly desc: number;
    readonly driver: number;
    readonly device: number;
    readonly avail: { readonly idx: number };
    readonly used: { readonly idx: number };
    readonly last_avail_idx: number;
    readonly inuse: number;
    readonly verdict: string;
    readonly message?: string;
    readonly saved_heads?: readonly number[];
    readonly in_flight?: {
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
  }[];
}

interface Saved {
  readonly file: string;
  readonly status: QueueStatus;
  /** What the ring holds behind the used index. */
  readonly oldest: QueueElement;
}

/** Saves a guest whose firmware has read from the disk, or has tried to. */
async function save(guest: Guest, program: Program, folder: string): Promise<Saved> {
  const file = join(folder, "vm.mig");
  await using qemu = await startGuest(guest, program, MACHINE, folder);
  if (guest === STUCK) await qemu.event("STOP");
  else await qemu.qmp("stop");
  const devices = (await qemu.qmp("x-query-virtio")) as readonly { readonly path: string }[];
  const where = { path: devices[0]?.path, queue: 0 };
  const status = (await qemu.qmp("x-query-virtio-queue-status", where)) as QueueStatus;
  const index = status["used-idx"];
  const oldest = (await qemu.qmp("x-query-virtio-queue-element", { ...where, index })) as QueueElement;
  await qemu.capabilities();
  await qemu.qmp("migrate", { uri: `exec:cat > ${file}` });
  expect(await qemu.migrated()).toMatchObject({ status: "completed" });
  return { file, status, oldest };
}

async function ringsOf(file: string, code: number): Promise<Rings["queues"][number]> {
  const run = await virtwire(["rings", file, "--device", DISK, "--format", "json"]);
  expect([run.code, run.err]).toEqual([code, ""]);
  const [device] = JSON.parse(run.out) as readonly Rings[];
  const queue = device?.queues[0];
  if (queue === undefined) throw new Error(`no queue in ${run.out}`);
  return queue;
}

/** Overwrites a 16-bit little-endian word of guest memory where it stands in the stream. */
function spoil(file: string, address: number, value: number): void {
  const bytes = readFileSync(file);
  const builder = new RamImageBuilder({
    channels: false,
    description: undefined,
    pageSize: undefined,
    onFault: () => {},
  });
  const main = builder.main(0);
  main.push(bytes);
  main.end();
  const place = guestPlace(builder.image, builder.machine, BigInt(address));
  if ("problem" in place || place.plain === undefined)
    throw new Error("the ring's page is not in the stream");
  bytes.writeUInt16LE(value, place.plain.at);
  writeFileSync(file, bytes);
}

/** Where the index of either ring stands, from its start. @source linux/virtio_ring.h, struct vring_avail, vring_used */
const INDEX = 2;

/** What QEMU says of virtqueues when it loads the stream. */
async function load(file: string, guest: Guest, program: Program, folder: string): Promise<string[]> {
  const args = [...program.args, ...argumentsOf(guest, MACHINE, folder), "-incoming", "defer"];
  await using qemu = await Machine.start(program.path, args, folder);
  await qemu.capabilities();
  await qemu.qmp("migrate-incoming", { uri: `exec:cat ${file}` });
  await Promise.race([qemu.migrated(), qemu.exit()]).catch(() => {});
  return qemu.stderr.split("\n").flatMap((line) => /VQ \d.*$/.exec(line)?.[0] ?? []);
}

describeWith("the virtqueues in a stream", newerQemu("x86_64"), (program) => {
  it("are those that QEMU has, with the request in flight", async () => {
    const { file, status, oldest } = await save(STUCK, program, temporaryFolder());
    expect(status.inuse).toBe(1);
    const queue = await ringsOf(file, 0);
    expect(queue).toMatchObject({
      size: status["vring-num"],
      desc: status["vring-desc"],
      driver: status["vring-avail"],
      device: status["vring-used"],
      last_avail_idx: status["last-avail-idx"],
      avail: { idx: status["shadow-avail-idx"] },
      used: { idx: status["used-idx"] },
      inuse: status.inuse,
      verdict: "sound",
      saved_heads: [oldest.index],
    });
    expect(queue.in_flight).toMatchObject({ heads: [oldest.index], certain: true });
    const buffers = queue.in_flight?.buffers.map(({ descriptors }) =>
      descriptors.map(({ addr, len, flags }) => ({ addr, len, writes: (flags & 2) !== 0 })),
    );
    // QEMU lists the last descriptor first.
    const descriptors = [...oldest.descs].reverse();
    expect(buffers).toEqual([
      descriptors.map(({ addr, len, flags }) => ({ addr, len, writes: flags.includes("write") })),
    ]);
  });

  it.each([
    [
      "the driver's index behind the device",
      -3,
      0,
      /the page of the available ring, which the guest writes, is older/,
    ],
    ["the driver's index far ahead", 0x1000, 0, /the available ring alone is 4096 \(0x1000\) buffers ahead/],
    ["the used index far behind", 0, -0x1000, /the page of the used ring, which the device writes, is older/],
  ])("are found wrong in QEMU's own words: %s", async (_, available, used, blame) => {
    const folder = temporaryFolder();
    const { file, status } = await save(IDLE, program, folder);
    expect(status["used-idx"]).toBeGreaterThan(0);
    spoil(file, status["vring-avail"] + INDEX, (status["shadow-avail-idx"] + available) & 0xffff);
    spoil(file, status["vring-used"] + INDEX, (status["used-idx"] + used) & 0xffff);
    const { message, verdict } = await ringsOf(file, 1);
    expect(verdict).toBe(used === 0 ? "index" : "inuse");
    const said = await load(file, IDLE, program, folder);
    expect(said).toEqual([message]);
    const explained = await virtwire(["explain", said.join("\n"), file]);
    expect([explained.code, explained.err]).toEqual([0, ""]);
    const text = explained.out.replace(/\s+/g, " ");
    expect(text).toContain("the stream itself is so");
    expect(text).toMatch(blame);
    expect(text).toMatch(
      /0x[0-9a-f]+: pc\.ram\+0x[0-9a-f]+: the available ring of VQ 0 of 0000:00:01\.0\/virtio-blk/,
    );
  });
});
