/** Back-ends that are killed at any instruction, and their successors. */
import { expect, it } from "vitest";
import {
  VhostUserInflightPackedAlignedView,
  VhostUserInflightSplitAlignedView,
} from "../../../generated/vhost-user/inflight.js";
import { inflightSize } from "../../../src/vhost-user/backend/inflight/region.js";
import { HOST_IS_LITTLE } from "../../../src/vhost-user/host.js";
import { describeLive } from "../describe-with.js";
import type { Machine } from "../machine.js";
import type { BackEnd } from "./back-end.js";
import { disk, nic } from "./devices.js";
import { pingsOf } from "./pings.js";
import { readMemfd } from "./qemu-memfd.js";
import { Stage } from "./stage.js";

/** Of QEMU's vhost-user-blk, if nothing else is said. */
const QUEUE_SIZE = 128;
const TIMES = 3;

/** How many requests the disk's back-end has taken and not completed, by the region that it shares with QEMU. */
function inFlight(qemu: Machine, packed: boolean): number {
  const bytes = readMemfd(qemu, "vhost-user-inflight", inflightSize(1, QUEUE_SIZE, packed));
  if (bytes === undefined) return 0;
  const { queue } = packed
    ? new VhostUserInflightPackedAlignedView(bytes, 0, 1, QUEUE_SIZE, HOST_IS_LITTLE).queues(0)
    : new VhostUserInflightSplitAlignedView(bytes, 0, 1, QUEUE_SIZE, HOST_IS_LITTLE).queues(0);
  return Array.from({ length: QUEUE_SIZE }, (_, head) => queue.desc(head).inflight).filter((one) => one !== 0)
    .length;
}

/** Kills it when it is in the middle of something. Gives how many requests it leaves behind. */
async function killAtWork(backEnd: BackEnd, qemu: Machine, packed: boolean): Promise<number> {
  for (;;) {
    backEnd.freeze();
    const left = inFlight(qemu, packed);
    if (left > 0) {
      await backEnd.kill();
      return left;
    }
    backEnd.goOn();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describeLive("a guest whose back-ends are killed", (program, image) => {
  it.each([
    ["split", false],
    ["packed", true],
  ])(
    "goes on with their successors, and has each request of its disk completed once: %s",
    async (_, packed) => {
      await using stage = new Stage(program, image);
      const file = stage.blankDisk("disk.img", 8);
      const startNet = (): Promise<BackEnd> => stage.backEnd("net", "--device", "net", "--verbose");
      const startBlk = (): Promise<BackEnd> =>
        stage.backEnd("blk", "--device", "blk", "--file", file, "--verbose");
      let [net, blk] = [await startNet(), await startBlk()];
      const devices = [
        ...nic({ id: "net", socket: stage.path("net"), reconnects: true }),
        ...disk({
          id: "blk",
          socket: stage.path("blk"),
          reconnects: true,
          properties: packed ? "packed=on" : "packed=off",
        }),
      ];
      const guest = await stage.guest({ name: "vm", memory: 128, cpus: 2, devices });
      await guest.run("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up");
      await guest.run("pinging start 10.0.0.1 0.02");
      await guest.run("disk-load start 4");
      for (let i = 0; i < TIMES; i++) {
        await guest.run("sleep 0.5");
        const left = await killAtWork(blk, guest.qemu, packed);
        await net.kill();
        [net, blk] = [await startNet(), await startBlk()];
        await blk.says(/virtqueue 0 runs/);
        await net.says(/virtqueue 0 runs/);
        expect(blk.said).toContain(
          `virtqueue 0: ${left} requests that a back-end before this one had taken are served again`,
        );
      }
      await guest.run("sleep 0.5");
      const { sent, lost, doubled } = pingsOf(await guest.run("pinging stop"));
      expect(doubled).toEqual([]);
      expect(lost).not.toContain(sent - 2);
      const rounds = (await guest.run("disk-load stop")).split("\n");
      expect(rounds).toHaveLength(4);
      for (const writer of rounds) expect(writer).toMatch(/^writer \d ends after [1-9]\d* rounds$/);
      // Nor has the driver seen a completion of something that it has not asked for.
      expect(guest.kernelLog).toBe("");
    },
  );
});
