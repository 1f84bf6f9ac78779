import { expect, it } from "vitest";
import {
  VhostUserFrontendRequest,
  VhostUserProtocolFeature,
} from "../../../generated/vhost-user/messages.js";
import { QUEUE_START } from "../../../src/device/index.js";
import { VhostUserFrontend } from "../../../src/vhost-user/frontend/frontend.js";
import type { Descriptor } from "../../../src/vhost-user/index.js";
import { describeHere } from "../here.js";
import { message, reply, scriptedBackend, u64, writeAll } from "./scripted-backend.js";

const R = VhostUserFrontendRequest;
const {
  VHOST_USER_PROTOCOL_F_REPLY_ACK: ACK,
  VHOST_USER_PROTOCOL_F_DEVICE_STATE: STATE,
  VHOST_USER_PROTOCOL_F_LOG_SHMFD: LOG,
  VHOST_USER_PROTOCOL_F_BACKEND_REQ: BACKEND,
  VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD: INFLIGHT,
  VHOST_USER_PROTOCOL_F_PAGEFAULT: PAGEFAULT,
} = VhostUserProtocolFeature;

const PLACE = { size: 8, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 };

describeHere("a front-end", () => {
  it("agrees on what both can, and tells what it was asked to", async () => {
    const { path, asked } = await scriptedBackend(ACK | PAGEFAULT);
    const frontend = await VhostUserFrontend.connect(path);
    expect(frontend.protocolFeatures).toBe(ACK);
    await frontend.setFeatures(1n << 32n);
    await frontend.shareMemory([{ guestAddress: 0x100000, length: 0x2000 }]);
    const ring = frontend.makeRing(3, PLACE, false);
    await frontend.startRing(ring, { ...QUEUE_START, available: 77 });
    expect(asked.map(({ request }) => request)).toEqual([
      ...[R.VHOST_USER_GET_FEATURES, R.VHOST_USER_GET_PROTOCOL_FEATURES, R.VHOST_USER_SET_PROTOCOL_FEATURES],
      ...[R.VHOST_USER_SET_OWNER, R.VHOST_USER_SET_FEATURES, R.VHOST_USER_SET_MEM_TABLE],
      ...[R.VHOST_USER_SET_VRING_NUM, R.VHOST_USER_SET_VRING_BASE, R.VHOST_USER_SET_VRING_ADDR],
      ...[R.VHOST_USER_SET_VRING_CALL, R.VHOST_USER_SET_VRING_ERR, R.VHOST_USER_SET_VRING_KICK],
      R.VHOST_USER_SET_VRING_ENABLE,
    ]);
    const of = (request: number) => asked.find((one) => one.request === request);
    expect(of(R.VHOST_USER_SET_FEATURES)?.payload).toEqual(u64((1n << 32n) | (1n << 30n)));
    // vhost-user.rst: number, padding, then guest address, size, user address, offset.
    const table = of(R.VHOST_USER_SET_MEM_TABLE)?.payload;
    expect(table?.readUInt32LE(0)).toBe(1);
    expect([table?.readBigUInt64LE(8), table?.readBigUInt64LE(16)]).toEqual([0x100000n, 0x2000n]);
    expect(of(R.VHOST_USER_SET_MEM_TABLE)?.descriptors).toHaveLength(1);
    expect(of(R.VHOST_USER_SET_VRING_BASE)?.payload.toString("hex")).toBe("030000004d000000");
    const user = (table?.readBigUInt64LE(24) ?? 0n) - 0x100000n;
    const place = of(R.VHOST_USER_SET_VRING_ADDR)?.payload;
    expect(place?.readBigUInt64LE(8)).toBe(user + 0x1000n);
    expect(place?.readBigUInt64LE(16)).toBe(user + 0x3000n);
    expect(place?.readBigUInt64LE(24)).toBe(user + 0x2000n);
    frontend.close();
    expect(frontend.system.open).toBe(0);
  });

  it("packs a position as the document draws it", async () => {
    const { path, asked } = await scriptedBackend(ACK, (one) =>
      one.request === R.VHOST_USER_GET_VRING_BASE
        ? reply(one, Buffer.from("00000000058003c0", "hex"))
        : undefined,
    );
    const frontend = await VhostUserFrontend.connect(path);
    await frontend.setFeatures(1n << 34n);
    const ring = frontend.makeRing(0, PLACE, true);
    await frontend.startRing(ring, { available: 0x123, availableWrap: true, used: 0x7f, usedWrap: false });
    const base = asked.find(({ request }) => request === R.VHOST_USER_SET_VRING_BASE);
    // Bits 0-14 next available, 15 its wrap counter, 16-30 next used, 31 its wrap counter.
    expect(base?.payload.readUInt32LE(4)).toBe(0x007f_8123);
    expect(await frontend.stopRing(ring)).toEqual({
      available: 5,
      availableWrap: true,
      used: 0x4003,
      usedWrap: true,
    });
    frontend.close();
  });

  it("says what the back-end refuses", async () => {
    const { path } = await scriptedBackend(ACK, (one) =>
      one.request === R.VHOST_USER_SET_FEATURES ? reply(one, u64(22n)) : undefined,
    );
    const frontend = await VhostUserFrontend.connect(path);
    await expect(frontend.setFeatures(0n)).rejects.toThrow("the back-end refuses vhostUserSetFeatures: 22");
    frontend.close();
  });

  it.each([
    ["a reply to something else", message(R.VHOST_USER_GET_QUEUE_NUM, 5, u64(1n))],
    ["a reply that is none", message(R.VHOST_USER_SET_FEATURES, 1, u64(0n))],
    ["a payload that is too short", message(R.VHOST_USER_SET_FEATURES, 5, Buffer.alloc(4))],
    ["a payload of 4 GiB", Buffer.from("0200000005000000ffffffff", "hex")],
    ["another version", message(R.VHOST_USER_SET_FEATURES, 6, u64(0n))],
  ])("ends a connection with %s", async (_, bytes) => {
    const { path } = await scriptedBackend(ACK, (one) =>
      one.request === R.VHOST_USER_SET_FEATURES ? bytes : undefined,
    );
    const frontend = await VhostUserFrontend.connect(path);
    await expect(frontend.setFeatures(0n)).rejects.toThrow("connection lost: ");
    expect((await frontend.gone).message).toMatch(/^connection lost: /);
    await expect(frontend.setFeatures(0n)).rejects.toThrow("connection lost: ");
    frontend.close();
    expect(frontend.system.open).toBe(0);
  });

  it("ends with a back-end that closes in the middle of a message", async () => {
    const { path } = await scriptedBackend(ACK, (one, socket) => {
      if (one.request !== R.VHOST_USER_SET_FEATURES) return undefined;
      socket.send(Buffer.from("0200000005", "hex"));
      socket.close();
      return undefined;
    });
    const frontend = await VhostUserFrontend.connect(path);
    await expect(frontend.setFeatures(0n)).rejects.toThrow("it ends 5 bytes into a message");
    frontend.close();
  });

  it("saves a state of any size, and checks it", async () => {
    const state = new Uint8Array(300_000).map((_, i) => i * 7);
    let writing: Promise<void> | undefined;
    const { path, asked } = await scriptedBackend(ACK | STATE, (one) => {
      const [pipe] = one.descriptors;
      if (one.request === R.VHOST_USER_SET_DEVICE_STATE_FD && pipe !== undefined) {
        writing = writeAll(pipe, state);
        return reply(one, u64(0x100n));
      }
      return one.request === R.VHOST_USER_CHECK_DEVICE_STATE ? reply(one, u64(0n)) : undefined;
    });
    const frontend = await VhostUserFrontend.connect(path);
    expect(Buffer.from(await frontend.saveState()).equals(state)).toBe(true);
    await writing;
    const request = asked.find((one) => one.request === R.VHOST_USER_SET_DEVICE_STATE_FD);
    expect(request?.payload.toString("hex")).toBe("0000000000000000");
    frontend.close();
    expect(frontend.system.open).toBe(0);
  });

  it.each([
    ["at once", 7n, 0n],
    ["when it is checked", 0x100n, 1n],
  ])("hears that a state is refused %s", async (_, first, second) => {
    const { path } = await scriptedBackend(ACK | STATE, (one) => {
      for (const descriptor of one.descriptors) descriptor.close();
      if (one.request === R.VHOST_USER_SET_DEVICE_STATE_FD) return reply(one, u64(first));
      return one.request === R.VHOST_USER_CHECK_DEVICE_STATE ? reply(one, u64(second)) : undefined;
    });
    const frontend = await VhostUserFrontend.connect(path);
    await expect(frontend.loadState(new Uint8Array(200_000))).rejects.toThrow("the back-end refuses");
    frontend.close();
    expect(frontend.system.open).toBe(0);
  });

  it("gives the log's place, and marks rings that run as logged", async () => {
    const { path, asked } = await scriptedBackend(ACK | LOG, (one) =>
      one.request === R.VHOST_USER_SET_LOG_BASE ? reply(one, u64(0n)) : undefined,
    );
    const frontend = await VhostUserFrontend.connect(path);
    await frontend.shareMemory([{ guestAddress: 0, length: 0x100000 }]);
    await frontend.startRing(frontend.makeRing(0, PLACE, false), QUEUE_START);
    const log = await frontend.startLog();
    expect(log.bitmap.length).toBe(32);
    // 16 bytes: size and offset. Then bit 26 of the features, and bit 0 of the ring's flags.
    const tail = asked.slice(-3);
    expect(tail[0]?.payload.toString("hex")).toBe(`20${"00".repeat(15)}`);
    expect(tail[0]?.descriptors).toHaveLength(1);
    expect((tail[1]?.payload.readBigUInt64LE() ?? 0n) & (1n << 26n)).not.toBe(0n);
    expect(tail[2]?.payload.readUInt32LE(4)).toBe(1);
    expect(tail[2]?.payload.readBigUInt64LE(32)).toBe(0x3000n);
    await frontend.stopLog();
    expect((asked.at(-2)?.payload.readBigUInt64LE() ?? 0n) & (1n << 26n)).toBe(0n);
    expect(asked.at(-1)?.payload.readUInt32LE(4)).toBe(0);
    frontend.close();
  });

  it("hears of a configuration that has changed, and acknowledges it", async () => {
    let channel: Descriptor | undefined;
    const { path } = await scriptedBackend(ACK | BACKEND, (one) => {
      if (one.request === R.VHOST_USER_SET_BACKEND_REQ_FD) channel = one.descriptors[0];
      return undefined;
    });
    let changes = 0;
    const frontend = await VhostUserFrontend.connect(path, { onConfigChanged: () => changes++ });
    channel?.write(message(2, 9, Buffer.alloc(0)));
    await channel?.ready("readable");
    const answer = new Uint8Array(64);
    expect(channel?.read(answer)).toBe(20);
    expect(Buffer.from(answer.subarray(0, 20))).toEqual(message(2, 5, u64(0n)));
    expect(changes).toBe(1);
    frontend.close();
  });

  it("takes no memory for requests in flight where the back-end has none", async () => {
    const { path, asked } = await scriptedBackend(ACK | INFLIGHT, (one) =>
      one.request === R.VHOST_USER_GET_INFLIGHT_FD ? reply(one, one.payload) : undefined,
    );
    const frontend = await VhostUserFrontend.connect(path);
    expect(await frontend.getInflight(2, 128)).toBeUndefined();
    // 24 bytes, as QEMU sends them: size, offset, queues, size of a queue, padding.
    expect(asked.at(-1)?.payload.toString("hex")).toBe(`${"00".repeat(16)}0200800000000000`);
    frontend.close();
  });
});
