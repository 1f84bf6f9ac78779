/**
 * The reference device behind vhost-user, in a process of its own, under the load of our front-end: `npm run
 * bench:vhost-user`. Block devices are measured beside qemu-storage-daemon, where it is installed, on the same front-end;
 * both keep the disk in memory.
 *
 * Two rates: a second of the clock, which is only worth something on a machine with two processors to spare, and a second
 * of the back-end's own processor time, which other work changes little. Back-ends take turns within short rounds; shown
 * are medians. VIRTWIRE_PROFILE names a folder for profiles of our back-end.
 */
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BackendProcess } from "./backend-process.js";
import { blkLoad, type Load, netLoad } from "./loads.js";
import { DISK_BYTES } from "./setup.js";

const ROUNDS = 7;
const ROUND_MS = 800;
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "virtwire-bench-"));

interface Rates {
  readonly clock: number;
  readonly processor: number;
}

function ours(kind: "blk" | "net"): Promise<BackendProcess | undefined> {
  const socket = join(folder, `${kind}.sock`);
  const program = fileURLToPath(new URL("backend.ts", import.meta.url));
  const profiles = process.env["VIRTWIRE_PROFILE"];
  const profile = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  return BackendProcess.start(
    process.execPath,
    [...profile, "--import", "tsx", program, kind, socket],
    socket,
  );
}

function storageDaemon(): Promise<BackendProcess | undefined> {
  const image = join(folder, "disk.img");
  const socket = join(folder, "qsd.sock");
  writeFileSync(image, "");
  truncateSync(image, DISK_BYTES);
  const args = [
    ...["--blockdev", `driver=file,node-name=file,filename=${image}`],
    ...["--blockdev", "driver=raw,node-name=disk,file=file"],
    ...["--export", `type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=${socket},writable=on`],
  ];
  return BackendProcess.start("qemu-storage-daemon", args, socket);
}

/** Of each back-end, by turns. */
async function rates(loads: readonly (readonly [BackendProcess, Load])[]): Promise<Rates[]> {
  const found: Rates[][] = loads.map(() => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, [backend, load]] of loads.entries()) {
      const used = backend.processorTime;
      const begun = performance.now();
      const done = await load.run(ROUND_MS);
      const clock = done / ((performance.now() - begun) / 1000);
      // The first one is for the compilers.
      if (round > 0) found[i]?.push({ clock, processor: done / (backend.processorTime - used) });
    }
  }
  for (const [, load] of loads) load.close();
  return found.map((all) => ({
    clock: median(all.map((one) => one.clock)),
    processor: median(all.map((one) => one.processor)),
  }));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function line(what: string, { clock, processor }: Rates, more: string): void {
  const thousands = (rate: number): string =>
    `${Math.round(rate / 1000).toLocaleString("en-US")} k`.padStart(9);
  console.log(`${what.padEnd(34)}${thousands(clock)}/s${thousands(processor)}/s of processor  ${more}`);
}

async function net(backend: BackendProcess): Promise<void> {
  for (const length of [64, 1514]) {
    for (const echo of [false, true]) {
      const [found] = await rates([[backend, await netLoad(backend.socket, length, echo)]]);
      if (found === undefined) continue;
      const bytes = `${((found.processor * length) / 1e9).toFixed(2)} GB/s of processor`;
      line(`net, ${echo ? "echoes" : "frames"} of ${length} bytes`, found, bytes);
    }
  }
}

async function blk(backend: BackendProcess, daemon: BackendProcess | undefined): Promise<void> {
  for (const isWrite of [false, true]) {
    const backends = daemon === undefined ? [backend] : [backend, daemon];
    const loads: (readonly [BackendProcess, Load])[] = [];
    for (const one of backends) loads.push([one, await blkLoad(one.socket, isWrite)]);
    const [found, theirs] = await rates(loads);
    const what = `blk, ${isWrite ? "writes" : "reads"} of 4 KiB`;
    if (theirs !== undefined) line(`${what}, qemu-storage-daemon`, theirs, "");
    if (found === undefined) continue;
    const of = (key: keyof Rates): string => `${(found[key] / (theirs?.[key] ?? Number.NaN)).toFixed(2)}×`;
    line(what, found, theirs === undefined ? "" : `${of("clock")} and ${of("processor")} of its rates`);
  }
}

const started = [await ours("net"), await ours("blk"), await storageDaemon()];
const [netBackend, blkBackend, daemon] = started;
try {
  if (netBackend !== undefined) await net(netBackend);
  if (blkBackend !== undefined) await blk(blkBackend, daemon);
} finally {
  for (const backend of started) backend?.stop();
  rmSync(folder, { recursive: true, force: true });
}
