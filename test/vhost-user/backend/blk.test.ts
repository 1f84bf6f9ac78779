/** The block device on a real socket, with our own front-end and driver: every byte is held against a model of the disk. */
import { expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { BlkDevice } from "../../../src/device/index.js";
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
});
