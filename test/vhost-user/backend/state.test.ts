/** The device's state through a pipe, in the order in which QEMU does it. */
import { expect, it, onTestFinished } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { decodeVirtioDevCtx } from "../../../generated/virtio/device-context.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import {
  Allocator,
  BlkDevice,
  BlkDriver,
  CommonConfig,
  GuestMemory,
  QUEUE_START,
  VirtioDevice,
  writeDeviceContext,
} from "../../../src/device/index.js";
import { Connection } from "../../../src/vhost-user/frontend/connection.js";
import { Requests } from "../../../src/vhost-user/frontend/requester.js";
import { openSystem, RefusedError } from "../../../src/vhost-user/index.js";
import { describeHere } from "../here.js";
import { blkGuest, MEMORY, PACKED, serve } from "./guest.js";

const disk = (): BlkDevice => new BlkDevice({ disk: new Uint8Array(1 << 16), queueSize: 64 });
const DRIVER_OK = 15;
const SILENT = { queue: () => {}, config: () => {} };

/** A disk of which each sector holds its number. */
function filled(): Uint8Array {
  return new Uint8Array(1 << 16).map((_, i) => i >> 9);
}

describeHere("the state of a device behind vhost-user", () => {
  it("is a device context that outlives a reset by status, and that another takes over", async () => {
    const source = await serve(disk());
    const from = await source.connect();
    const guest = await blkGuest(from);
    guest.blk.writeSectors(3, new Uint8Array(512).fill(7));
    await guest.next();
    await from.setStatus(DRIVER_OK);
    const positions = await guest.bus.stop();
    // What QEMU does before it asks for the state.
    await from.setStatus(0);
    const bytes = await from.saveState();
    const { fields } = decodeVirtioDevCtx(bytes, VirtioDeviceId.VIRTIO_ID_BLOCK);
    const runtime = fields.map(({ value }) => value).find((value) => value.case === "vqSplitRuntimeCfg");
    expect(positions.get(0)?.available).toBe(1);
    expect(runtime?.value).toMatchObject({ vqIndex: 0, devAvailIdx: 1, enabled: 1 });
    const config = fields.map(({ value }) => value).find((value) => value.case === "pciVqCfg");
    expect(config?.value).toMatchObject({ vqIndex: 0, queueSize: 64 });
    expect(source.events).toContainEqual({ kind: "saved", bytes });

    const destination = await serve(disk());
    const to = await destination.connect();
    // Before features, memory and virtqueues, as QEMU does it.
    await to.loadState(bytes);
    expect(destination.events).toContainEqual(expect.objectContaining({ kind: "loaded", bytes }));
    // What came is what goes on, if the guest is moved again before it runs.
    const again = decodeVirtioDevCtx(await to.saveState(), VirtioDeviceId.VIRTIO_ID_BLOCK);
    expect(again.fields.length).toBe(fields.length);
    // And the source's is there still, for a migration that fails afterwards.
    expect(await from.saveState()).toEqual(bytes);
  });

  it("may hold requests in flight, which are served where it comes to", async () => {
    // The bytes of a member device, as its owner reads them.
    const memory = GuestMemory.of(MEMORY);
    const member = new VirtioDevice(
      new BlkDevice({ disk: filled(), queueSize: 64, depth: 4 }),
      memory,
      SILENT,
      {
        deferred: true,
      },
    );
    const bus = { common: new CommonConfig(member), notify: () => {} };
    const blk = new BlkDriver(bus, memory, new Allocator(0, MEMORY), {
      without: PACKED | VirtioFeature.VIRTIO_F_IN_ORDER,
    });
    const ids = [blk.readSectors(1, 1), blk.readSectors(2, 1)];
    member.run(0, 2);
    member.setMode("stop");
    member.setMode("freeze");
    const state = member.save();
    expect(state.queues[0]?.owned).toHaveLength(2);

    const { connect } = await serve(new BlkDevice({ disk: filled(), queueSize: 64 }));
    const frontend = await connect();
    await frontend.loadState(writeDeviceContext(state));
    const shared = await frontend.shareMemory([{ guestAddress: 0, length: MEMORY }]);
    shared.guest.write(0, memory.read(0, MEMORY));
    blk.attach(bus, shared.guest);
    await frontend.setFeatures(member.driverFeatures);
    const [queue] = blk.driver.queues;
    if (queue === undefined) throw new Error("no virtqueue");
    const ring = frontend.makeRing(0, queue.place, false);
    await frontend.startRing(ring, { ...QUEUE_START, available: 2, used: 0 });
    const answers = [blk.poll(), blk.poll()];
    expect(answers.map((answer) => answer?.id).sort()).toEqual(ids);
    expect(answers.map((answer) => answer?.data[0]).sort()).toEqual([1, 2]);
  });

  it("is refused when it is damaged, cut short, too long or another device's", async () => {
    const { connect } = await serve(disk());
    const frontend = await connect();
    const bytes = await frontend.saveState();
    const damaged = bytes.slice();
    damaged[0] = 0xff;
    const larger = await serve(new BlkDevice({ disk: new Uint8Array(1 << 17), queueSize: 64 }));
    const others = await (await larger.connect()).saveState();
    for (const bad of [
      damaged,
      bytes.subarray(0, -1),
      Buffer.concat([bytes, bytes]),
      new Uint8Array(0),
      others,
    ]) {
      await expect(frontend.loadState(bad)).rejects.toThrow(RefusedError);
    }
    await frontend.loadState(bytes);
  });

  it("is not given while a virtqueue runs", async () => {
    const { connect, events } = await serve(disk());
    const frontend = await connect();
    const guest = await blkGuest(frontend);
    await expect(frontend.saveState()).rejects.toThrow(RefusedError);
    expect(events).toContainEqual(expect.objectContaining({ kind: "refused" }));
    guest.blk.flush();
    expect(await guest.next()).toMatchObject({ status: 0 });
  });

  it("is not taken when a virtqueue has been started while it came", async () => {
    const { path, connect, events } = await serve(disk());
    const before = await connect();
    const state = await before.saveState();
    before.close();
    const system = await openSystem();
    onTestFinished(() => system.close());
    const connection = new Connection(system.connect(path));
    const requests = new Requests(connection);
    const { protocolFeatures } = await requests.ask({
      case: "vhostUserGetProtocolFeatures",
      value: undefined,
    });
    await requests.tell({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures } });
    connection.agreed = { features: 0n, protocolFeatures };
    const [reading, writing] = system.pipe();
    const value = { direction: 1, phase: 0 } as const;
    const { error } = await requests.ask({ case: "vhostUserSetDeviceStateFd", value }, [reading]);
    expect(error).toBe(0);
    const kick = system.eventfd();
    await requests.tell({ case: "vhostUserSetVringKick", value: { index: 0, nofd: 0 } }, [kick]);
    writing.write(state);
    writing.close();
    const checked = await requests.ask({ case: "vhostUserCheckDeviceState", value: undefined });
    expect(checked.value).not.toBe(0n);
    expect(events).toContainEqual(expect.objectContaining({ kind: "transfer-failed" }));
    expect(events).not.toContainEqual(expect.objectContaining({ kind: "loaded" }));
  });

  it("leaves nothing open when the front-end goes in the middle of it", async () => {
    const { connect, server } = await serve(disk());
    const frontend = await connect();
    const loading = frontend.loadState(new Uint8Array(1 << 20));
    frontend.close();
    await expect(loading).rejects.toThrow();
    // The next one is served, so the last one's session has ended.
    const next = await connect();
    expect(next.hasProtocol(VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_DEVICE_STATE)).toBe(true);
    expect(server.isConnected).toBe(true);
  });
});
