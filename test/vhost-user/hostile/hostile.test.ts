/**
 * Front-ends that mean no good, one after the other, against a device in a process of its own. Whatever they do, the
 * process lives, goes on serving others, keeps no descriptor, and touches no memory that it was not given.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Allocator, BlkDriver, GuestDriver } from "../../../src/device/index.js";
import { FrontendBus, VhostUserFrontend } from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";
import { describeHere } from "../here.js";
import { Draw } from "./draw.js";
import { CANARY, hostileSession } from "./frontend.js";

/** Of each device. `VIRTWIRE_RUNS` sets another number, `VIRTWIRE_SEED` the seed of the first. */
const RUNS = Number(process.env["VIRTWIRE_RUNS"] ?? 150);
const SEED = Number(process.env["VIRTWIRE_SEED"] ?? 1);
/** Between looks at whether all is well. */
const ROUND = 10;
/** Longer than anything takes on a machine that does other work besides. In milliseconds. */
const PATIENCE = 120_000;
const SECTORS = 64;
const MEMORY = 1 << 20;

class Target {
  readonly path: string;
  stderr = "";
  hasExited = false;
  private readonly child: ChildProcess;

  constructor(kind: "blk" | "net") {
    this.path = join(temporaryFolder(), "target.sock");
    const program = fileURLToPath(new URL("target.ts", import.meta.url));
    this.child = spawn(process.execPath, ["--import", "tsx", program, kind, this.path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.child.on("exit", (code, signal) => {
      this.hasExited = true;
      this.stderr += `exit code ${code}, signal ${signal}`;
    });
    onTestFinished(() => {
      this.child.kill("SIGKILL");
    });
  }

  async listening(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.child.stdout?.once("data", () => resolve());
      this.child.once("exit", () => reject(new Error(this.stderr)));
    });
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }
}

/** A front-end like any other, which looks at the device. Gives what both can. */
async function useBlk(path: string): Promise<bigint> {
  const frontend = await VhostUserFrontend.connect(path);
  const { guest } = await frontend.shareMemory([{ guestAddress: 0, length: MEMORY }]);
  const bus = new FrontendBus(frontend, guest, { id: VirtioDeviceId.VIRTIO_ID_BLOCK, queueSizes: [16] });
  const blk = new BlkDriver(bus, guest, new Allocator(0, MEMORY), { sectors: SECTORS });
  await bus.ready();
  blk.readSectors(0, SECTORS);
  const { status, data } = await bus.next(blk.driver.queues, () => blk.poll());
  expect(status).toBe(0);
  expect(Buffer.from(data).includes(CANARY)).toBe(false);
  frontend.close();
  return frontend.protocolFeatures;
}

/** A frame is taken off a queue to transmit. */
async function useNet(path: string): Promise<bigint> {
  const frontend = await VhostUserFrontend.connect(path);
  const { guest } = await frontend.shareMemory([{ guestAddress: 0, length: MEMORY }]);
  const bus = new FrontendBus(frontend, guest, { id: VirtioDeviceId.VIRTIO_ID_NET, queueSizes: [16, 16] });
  const allocator = new Allocator(0, MEMORY);
  const driver = new GuestDriver(bus, guest, allocator, (1n << 32n) | (1n << 29n));
  await bus.ready();
  const frame = { address: allocator.take(100), length: 100 };
  const id = driver.queues[1]?.add({ readable: [frame], writable: [] });
  driver.kick(1);
  expect((await bus.next(driver.queues, () => driver.queues[1]?.poll())).id).toBe(id);
  frontend.close();
  return frontend.protocolFeatures;
}

describeHere("hostile front-ends", () => {
  it.each([
    ["block", "blk", useBlk],
    ["network", "net", useNet],
  ] as const)("of a %s device do no harm", { timeout: 600_000 }, async (_, kind, use) => {
    const target = new Target(kind);
    await target.listening();
    // What is loaded at the first use stays.
    const protocolFeatures = await use(target.path);
    await use(target.path);
    let before = target.descriptors;
    // On a busy machine the end of a connection takes its time.
    for (let same = 0; same < 25; same++) {
      await sleep(20);
      const now = target.descriptors;
      if (now !== before) same = 0;
      before = now;
    }
    for (let run = 0; run < RUNS; run++) {
      const seed = SEED + run;
      const about = (): string => `seed ${seed}: ${target.stderr}`;
      const isUntouched = await hostileSession(target.path, protocolFeatures, new Draw(seed));
      expect(isUntouched, about()).toBe(true);
      expect(target.hasExited, about()).toBe(false);
      if (run % ROUND !== ROUND - 1) continue;
      await use(target.path);
      // Closing takes the device a moment.
      await expect.poll(() => target.descriptors, { timeout: PATIENCE, message: about() }).toBe(before);
    }
  });
});
