/** Our front-end, rings and driver against qemu-storage-daemon, whose image file says what was really written. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { decodeVirtioBlkConfig } from "../../../generated/virtio/device-config.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { temporaryFolder } from "../../cli/harness.js";
import { numbers } from "../../vhost-user/backend/guest.js";
import { describeWith } from "../describe-with.js";
import { storageDaemon } from "../programs.js";
import { storageDaemonWith } from "./backend-process.js";
import { blkGuest, QUEUES } from "./blk-guest.js";

const SECTOR = 512;
const SECTORS = 2048;

describeWith("a front-end of qemu-storage-daemon", storageDaemon(), (program) => {
  it.each([
    ["event indices, regions one by one", 0n, 0n],
    ["no event indices", VirtioFeature.VIRTIO_F_EVENT_IDX, 0n],
    ["a table of regions", 0n, VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS],
    ["nothing acknowledged", 0n, VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK],
    ["nothing agreed on", 0n, 2n ** 64n - 1n],
  ])("writes and reads what the image then holds, with %s", async (_, without, withoutProtocol) => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    const model = new Uint8Array(SECTORS * SECTOR).map((_, i) => i >> 9);
    writeFileSync(image, model);
    {
      await using daemon = storageDaemonWith(program, image, join(folder, "blk.sock"), QUEUES);
      const frontend = await daemon.connect({ without: withoutProtocol });
      const { bus, blk, next } = await blkGuest(frontend, without);
      const draw = numbers(7);
      const expected = new Map<number, Uint8Array | undefined>();
      const receive = async (): Promise<void> => {
        const { id, status, data } = await next();
        const wanted = expected.get(id);
        expect(status).toBe(0);
        if (wanted !== undefined) expect(Buffer.from(data).equals(wanted)).toBe(true);
        expected.delete(id);
      };
      for (let round = 0; round < 300; round++) {
        const count = 1 + draw(8);
        // Requests that are under way together must not touch the same sectors: nothing orders them.
        const sector = (round % 16) * (SECTORS / 16) + draw(SECTORS / 16 - count);
        const from = sector * SECTOR;
        const queue = draw(QUEUES);
        while (blk.outstanding > 8) await receive();
        if (draw(2) === 0) {
          const data = new Uint8Array(count * SECTOR).map(() => draw(256));
          const id = blk.writeSectors(sector, data, queue);
          if (id === undefined) throw new Error("no room in the ring");
          model.set(data, from);
          expected.set(id, undefined);
        } else {
          const id = blk.readSectors(sector, count, queue);
          if (id === undefined) throw new Error("no room in the ring");
          expected.set(id, model.slice(from, from + count * SECTOR));
        }
      }
      while (blk.outstanding > 0) await receive();
      const flush = blk.flush();
      expect(await next()).toMatchObject({ id: flush, status: 0 });
      const positions = await bus.stop();
      const sent = [...positions.values()].reduce((sum, { available }) => sum + available, 0);
      expect(sent).toBe(301);
      frontend.close();
      expect(frontend.system.open).toBe(0);
    }
    expect(readFileSync(image).equals(model)).toBe(true);
  });

  it("reads the configuration, and is refused what is not there", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    writeFileSync(image, new Uint8Array(SECTORS * SECTOR));
    await using daemon = storageDaemonWith(program, image, join(folder, "blk.sock"), QUEUES);
    const frontend = await daemon.connect();
    expect(frontend.queueCount).toBe(QUEUES);
    const config = decodeVirtioBlkConfig(await frontend.getConfig(0, 60), true);
    expect(config).toMatchObject({ capacity: BigInt(SECTORS), numQueues: QUEUES });
    await expect(frontend.getConfig(0, 200)).rejects.toThrow();
    frontend.close();
  });

  it("logs exactly the pages that the device writes", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    writeFileSync(image, new Uint8Array(SECTORS * SECTOR).fill(0x5a));
    await using daemon = storageDaemonWith(program, image, join(folder, "blk.sock"), QUEUES);
    const frontend = await daemon.connect();
    const { blk, next, memory } = await blkGuest(frontend, 0n);
    const log = await frontend.startLog();
    const before = memory.regions.map(({ bytes }) => bytes.slice());
    blk.readSectors(0, 8);
    await next();
    const changed = new Set<number>();
    for (const [i, { guestAddress, bytes }] of memory.regions.entries()) {
      bytes.forEach((byte, at) => {
        if (byte !== before[i]?.[at]) changed.add(Math.floor((guestAddress + at) / 4096));
      });
    }
    const dirty = [...log.take()];
    // What the driver itself has written, descriptors and indices, is in no log; what the device has written is.
    const device = blk.driver.queues[0]?.place;
    const driverPages = [device?.descriptorArea, device?.driverArea].map((at) =>
      Math.floor((at ?? 0) / 4096),
    );
    for (const page of changed) if (!driverPages.includes(page)) expect(dirty).toContain(page);
    for (const page of dirty) expect(driverPages).not.toContain(page);
    await frontend.stopLog();
    blk.readSectors(0, 8);
    await next();
    frontend.close();
  });

  it("ends what waits for a back-end that goes away", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    writeFileSync(image, new Uint8Array(SECTORS * SECTOR));
    const daemon = storageDaemonWith(program, image, join(folder, "blk.sock"), QUEUES);
    const frontend = await daemon.connect();
    const { next } = await blkGuest(frontend, 0n);
    const waiting = expect(next()).rejects.toThrow("the back-end has closed the connection");
    await daemon[Symbol.asyncDispose]();
    await waiting;
    await expect(frontend.getStatus()).rejects.toThrow("the back-end has closed the connection");
    frontend.close();
  });
});
