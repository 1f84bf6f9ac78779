/** The block device on a real socket, with our own front-end and driver: every byte is held against a model of the disk. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { BlkDevice, type DevicePort } from "../../../src/device/index.js";
import { FileDisk, VhostUserFrontend } from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";
import { describeHere } from "../here.js";
import { blkGuest, numbers, PACKED, serve } from "./guest.js";

const SECTOR = 512;
const SECTORS = 1024;
const QUEUES = 2;
const HIGH = 0x1_0000_0000;

describeHere("a block device behind vhost-user", () => {
  it.each([
    ["split virtqueues", PACKED, 0n],
    ["packed virtqueues", 0n, 0n],
    ["split virtqueues without event indices", PACKED | VirtioFeature.VIRTIO_F_EVENT_IDX, 0n],
    ["packed virtqueues without event indices", VirtioFeature.VIRTIO_F_EVENT_IDX, 0n],
    ["no indirect descriptors", PACKED | VirtioFeature.VIRTIO_F_INDIRECT_DESC, 0n],
    ["a table of regions", PACKED, VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS],
    ["nothing acknowledged", PACKED, VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK],
    ["nothing agreed on", PACKED, 2n ** 64n - 1n],
  ])("reads and writes what a model has, with %s", async (_, without, withoutProtocol) => {
    const model = new Uint8Array(SECTORS * SECTOR).map((_, i) => i >> 9);
    const disk = model.slice();
    const { connect, server } = await serve(new BlkDevice({ disk, queues: QUEUES, queueSize: 64, depth: 4 }));
    const frontend = await connect(withoutProtocol);
    const ranges = [
      { guestAddress: 0, length: 1 << 20 },
      { guestAddress: HIGH, length: 4 << 20 },
    ];
    const { bus, blk, next } = await blkGuest(frontend, { ranges, queues: QUEUES, without });
    const draw = numbers(7);
    const expected = new Map<number, Uint8Array | undefined>();
    const receive = async (): Promise<void> => {
      const { id, status, data } = await next();
      expect(status).toBe(0);
      const wanted = expected.get(id);
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
      const isWrite = draw(2) === 0;
      const data = new Uint8Array(count * SECTOR).map(() => draw(256));
      const id = isWrite ? blk.writeSectors(sector, data, queue) : blk.readSectors(sector, count, queue);
      if (id === undefined) throw new Error("no room in the ring");
      if (isWrite) model.set(data, from);
      expected.set(id, isWrite ? undefined : model.slice(from, from + count * SECTOR));
    }
    while (blk.outstanding > 0) await receive();
    const positions = await bus.stop();
    if ((without & PACKED) !== 0n) {
      expect([...positions.values()].reduce((sum, { available }) => sum + available, 0)).toBe(300);
    }
    frontend.close();
    expect(frontend.system.open).toBe(0);
    await server.close();
    expect(Buffer.from(disk).equals(model)).toBe(true);
  });

  it("tells the front-end that its configuration has changed", async () => {
    class Changing extends BlkDevice {
      change = (): void => {};

      override start(port: DevicePort): void {
        super.start(port);
        this.change = () => port.configChanged();
      }
    }
    const type = new Changing({ disk: new Uint8Array(SECTOR), queueSize: 64 });
    const { path } = await serve(type);
    let changed = (): void => {};
    const hasChanged = new Promise<void>((resolve) => {
      changed = resolve;
    });
    const frontend = await VhostUserFrontend.connect(path, { onConfigChanged: () => changed() });
    await blkGuest(frontend);
    type.change();
    await hasChanged;
    frontend.close();
  });

  it("keeps its disk in a file, and what was discarded is zero there", async () => {
    const image = join(temporaryFolder(), "disk.img");
    writeFileSync(image, new Uint8Array(1 << 20).fill(0xaa));
    const disk = await FileDisk.open(image);
    const { connect, server } = await serve(new BlkDevice({ disk, queueSize: 64, depth: 8 }));
    const frontend = await connect();
    const { blk, next } = await blkGuest(frontend);
    blk.writeSectors(3, new Uint8Array(2 * SECTOR).fill(0x55));
    expect(await next()).toMatchObject({ status: 0 });
    blk.readSectors(2, 4);
    expect([...new Set((await next()).data)]).toEqual([0xaa, 0x55]);
    blk.flush();
    expect(await next()).toMatchObject({ status: 0 });
    await server.close();
    await disk.clear(8 * SECTOR, 16 * SECTOR);
    await disk.close();
    const bytes = readFileSync(image);
    const runs = [0, 3, 5, 8, 24].map((sector) => bytes[sector * SECTOR]);
    expect(runs).toEqual([0xaa, 0x55, 0xaa, 0, 0xaa]);
    expect(bytes).toHaveLength(1 << 20);
  });

  it("has no disk in what is none", async () => {
    const image = join(temporaryFolder(), "disk.img");
    writeFileSync(image, new Uint8Array(100));
    await expect(FileDisk.open(image)).rejects.toThrow("not whole sectors");
    await expect(FileDisk.open("/dev/null")).rejects.toThrow("is no file");
    await expect(FileDisk.open(`${image}.not`)).rejects.toThrow("ENOENT");
  });
});
