/**
 * A front-end that breaks every rule. The process goes on, the connection of the one that broke them ends, the next one is
 * served, and nothing stays open.
 */
import { openSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { VhostUserFrontendRequest as R } from "../../../generated/vhost-user/messages.js";
import { BlkDevice } from "../../../src/device/index.js";
import {
  type Arrival,
  Descriptor,
  openSystem,
  type System,
  SystemCallError,
  type UnixSocket,
} from "../../../src/vhost-user/index.js";
import { message, u64 } from "../frontend/scripted-backend.js";
import { describeHere } from "../here.js";
import { blkGuest, numbers, serve } from "./guest.js";

const NEED_REPLY = 8;
const VERSION = 1;
const ALL = (1n << 63n) - 1n;
const disk = (): BlkDevice => new BlkDevice({ disk: new Uint8Array(1 << 16), queueSize: 64 });

/** A connection of raw bytes. */
class Rogue {
  readonly system: System;
  readonly socket: UnixSocket;

  constructor(system: System, path: string) {
    this.system = system;
    this.socket = system.connect(path);
  }

  async send(
    request: number,
    payload: Buffer,
    descriptors: readonly Descriptor[] = [],
    flags = VERSION,
  ): Promise<void> {
    await this.socket.sendAll(message(request, flags, payload), descriptors);
  }

  /** The next answer's payload; undefined when the other side has closed. */
  async answer(): Promise<Buffer | undefined> {
    const head = await this.receive(12);
    return head && this.receive(head.readUInt32LE(8));
  }

  /** Asks for all features that the back-end offers. */
  async agree(): Promise<void> {
    await this.send(R.VHOST_USER_GET_PROTOCOL_FEATURES, Buffer.alloc(0));
    const offered = (await this.answer()) ?? Buffer.alloc(8);
    await this.send(R.VHOST_USER_SET_PROTOCOL_FEATURES, offered);
  }

  private arrival(length: number): Arrival | undefined {
    try {
      return this.socket.receive(length);
    } catch (error) {
      // It was closed before it had read all.
      if (error instanceof SystemCallError && error.code === "ECONNRESET") {
        return { bytes: new Uint8Array(0), descriptors: [] };
      }
      throw error;
    }
  }

  private async receive(length: number): Promise<Buffer | undefined> {
    const got: Uint8Array[] = [];
    for (let left = length; left > 0; ) {
      const arrival = this.arrival(left);
      if (arrival === undefined) await this.socket.ready("readable");
      else if (arrival.bytes.length === 0) return undefined;
      else {
        got.push(arrival.bytes);
        left -= arrival.bytes.length;
      }
    }
    return Buffer.concat(got);
  }
}

function words(...values: readonly (number | bigint)[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      if (typeof value === "bigint") return u64(BigInt.asUintN(64, value));
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value >>> 0);
      return bytes;
    }),
  );
}

/** padding, then guest address, size, user address, offset. */
const region = (guest: bigint, size: bigint, user: bigint, offset: bigint): Buffer =>
  words(0n, guest, size, user, offset);

async function rogue(): Promise<{ readonly it: Rogue; readonly stillServes: () => Promise<void> }> {
  const { path, connect } = await serve(disk());
  const it = new Rogue(await openSystem(), path);
  await it.agree();
  const stillServes = async (): Promise<void> => {
    it.system.close();
    const frontend = await connect();
    const guest = await blkGuest(frontend);
    guest.blk.flush();
    expect(await guest.next()).toMatchObject({ status: 0 });
    frontend.close();
  };
  return { it, stillServes };
}

describeHere("a front-end that breaks the rules", () => {
  describe("loses its connection", () => {
    const fd = (system: System): Descriptor => system.eventfd();
    it.each<[string, number, Buffer, number, number]>([
      ["a version that is not 1", R.VHOST_USER_GET_FEATURES, Buffer.alloc(0), 2, 0],
      ["a request that there is not", 200, Buffer.alloc(0), VERSION, 0],
      ["a payload that is too short", R.VHOST_USER_SET_VRING_ADDR, Buffer.alloc(39), VERSION, 0],
      ["a payload that is too long", R.VHOST_USER_SET_VRING_NUM, Buffer.alloc(9), VERSION, 0],
      ["a payload where none is", R.VHOST_USER_GET_FEATURES, Buffer.alloc(8), VERSION, 0],
      ["a descriptor where none is", R.VHOST_USER_SET_FEATURES, u64(0n), VERSION, 1],
      ["no descriptor where one is", R.VHOST_USER_SET_VRING_KICK, u64(0n), VERSION, 0],
      ["more descriptors than any message has", R.VHOST_USER_SET_MEM_TABLE, words(0, 0), VERSION, 33],
      [
        "more regions than descriptors",
        R.VHOST_USER_SET_MEM_TABLE,
        Buffer.concat([words(2, 0), Buffer.alloc(64)]),
        VERSION,
        1,
      ],
      ["what was not agreed on", R.VHOST_USER_POSTCOPY_ADVISE, Buffer.alloc(0), VERSION, 0],
      ["a virtqueue that there is not, unasked", R.VHOST_USER_SET_VRING_NUM, words(77, 8), VERSION, 0],
      ["features that are not offered, unasked", R.VHOST_USER_SET_FEATURES, u64(ALL), VERSION, 0],
    ])("for %s", async (_, request, payload, flags, descriptors) => {
      const { it: front, stillServes } = await rogue();
      await front.send(
        request,
        payload,
        Array.from({ length: descriptors }, () => fd(front.system)),
        flags,
      );
      expect(await front.answer()).toBeUndefined();
      await stillServes();
    });

    it("for a size beyond all payloads, before any of it is read", async () => {
      const { it: front, stillServes } = await rogue();
      await front.socket.sendAll(words(R.VHOST_USER_GET_FEATURES, VERSION, 0xffffffff));
      expect(await front.answer()).toBeUndefined();
      await stillServes();
    });
  });

  describe("is refused, when it has asked", () => {
    const PAGE = 4096n;
    it.each<[string, Buffer]>([
      ["of no bytes", region(0n, 0n, 0n, 0n)],
      ["beyond its file", region(0n, 2n * PAGE, 0n, 0n)],
      ["whose offset is beyond its file", region(0n, PAGE, 0n, PAGE)],
      ["at the end of all addresses", region(-PAGE, PAGE, 0n, 0n)],
      ["of all addresses", region(0n, ALL, 0n, 0n)],
      ["whose offset overflows", region(0n, PAGE, 0n, -1n)],
    ])("a region %s", async (_, payload) => {
      const { it: front, stillServes } = await rogue();
      const memory = front.system.memfd("m", Number(PAGE));
      await front.send(R.VHOST_USER_ADD_MEM_REG, payload, [memory], VERSION | NEED_REPLY);
      expect((await front.answer())?.readBigUInt64LE()).toBe(1n);
      await stillServes();
    });

    it.each<[string, number, () => Buffer]>([
      ["a region that is no file", R.VHOST_USER_ADD_MEM_REG, () => region(0n, PAGE, 0n, 0n)],
      ["a log that is no file", R.VHOST_USER_SET_LOG_BASE, () => words(PAGE, 0n)],
      [
        "an inflight region that is no file",
        R.VHOST_USER_SET_INFLIGHT_FD,
        () => Buffer.concat([words(PAGE, 0n), Buffer.from([1, 0, 64, 0, 0, 0, 0, 0])]),
      ],
    ])("%s", async (_, request, payload) => {
      const { it: front, stillServes } = await rogue();
      await front.send(request, payload(), [front.system.eventfd()], VERSION | NEED_REPLY);
      expect((await front.answer())?.readBigUInt64LE()).toBe(1n);
      await stillServes();
    });

    it("regions that overlap, and more of them than there are slots", async () => {
      const { it: front, stillServes } = await rogue();
      const memory = front.system.memfd("m", Number(PAGE));
      const add = async (payload: Buffer): Promise<bigint | undefined> => {
        await front.send(R.VHOST_USER_ADD_MEM_REG, payload, [memory], VERSION | NEED_REPLY);
        return (await front.answer())?.readBigUInt64LE();
      };
      expect(await add(region(0n, PAGE, 1n << 40n, 0n))).toBe(0n);
      expect(await add(region(0n, PAGE, 2n << 40n, 0n))).toBe(1n);
      expect(await add(region(PAGE, PAGE, 1n << 40n, 0n))).toBe(1n);
      let added = 1;
      while ((await add(region(BigInt(added) * PAGE, PAGE, (1n << 40n) + BigInt(added) * PAGE, 0n))) === 0n)
        added++;
      expect(added).toBe(256);
      await stillServes();
    });

    it("shared memory that is too small or too large for its use, which is let go of", async () => {
      const { it: front, stillServes } = await rogue();
      const small = front.system.memfd("small-region", Number(PAGE));
      const inflight = Buffer.concat([words(PAGE, 0n), Buffer.from([1, 0, 0, 4, 0, 0, 0, 0])]);
      await front.send(R.VHOST_USER_SET_INFLIGHT_FD, inflight, [small], VERSION | NEED_REPLY);
      expect((await front.answer())?.readBigUInt64LE()).toBe(1n);
      // Nobody reads it in one piece: more than a buffer of bytes holds.
      const large = front.system.memfd("large-log", 2 ** 33);
      await front.send(R.VHOST_USER_SET_LOG_BASE, words(2n ** 33n, 0n), [large], VERSION | NEED_REPLY);
      expect((await front.answer())?.readBigUInt64LE()).toBe(1n);
      expect(readFileSync("/proc/self/maps", "latin1")).not.toMatch(/small-region|large-log/);
      await stillServes();
    });

    it.each([
      ["direction", words(2, 0)],
      ["phase", words(0, 1)],
    ])("a state in a %s that there is not", async (_, payload) => {
      const { it: front, stillServes } = await rogue();
      const [, writing] = front.system.pipe();
      await front.send(R.VHOST_USER_SET_DEVICE_STATE_FD, payload, [writing]);
      // An error, and no descriptor.
      expect((await front.answer())?.readBigUInt64LE()).toBe(0x101n);
      await stillServes();
    });

    it("a kick that cannot be waited for", async () => {
      const { it: front, stillServes } = await rogue();
      const nothing = front.system.own(new Descriptor(front.system, openSync("/dev/null", "r+")));
      await front.send(R.VHOST_USER_SET_VRING_KICK, u64(0n), [nothing], VERSION | NEED_REPLY);
      expect((await front.answer())?.readBigUInt64LE()).toBe(1n);
      await stillServes();
    });
  });

  it("does not hold the back-end up with a kick that has ended, and a call that is full", async () => {
    const { it: front, stillServes } = await rogue();
    const [reading, writing] = front.system.pipe();
    while (writing.write(new Uint8Array(65536)) !== undefined);
    await front.send(R.VHOST_USER_SET_VRING_CALL, u64(0n), [writing]);
    await front.send(R.VHOST_USER_SET_VRING_KICK, u64(0n), [reading]);
    writing.close();
    await front.send(R.VHOST_USER_GET_FEATURES, Buffer.alloc(0));
    expect(await front.answer()).toBeDefined();
    await stillServes();
  });

  it("does not hold the next one up with a state that it never finishes", async () => {
    const { it: front, stillServes } = await rogue();
    const [reading] = front.system.pipe();
    await front.send(R.VHOST_USER_SET_DEVICE_STATE_FD, words(1, 0), [reading]);
    expect((await front.answer())?.readBigUInt64LE()).toBe(0x100n);
    await front.send(R.VHOST_USER_CHECK_DEVICE_STATE, Buffer.alloc(0));
    await wait(20);
    await stillServes();
  });

  it("cannot keep the server from ending by never reading a reply", async () => {
    const { path, server, events } = await serve(disk());
    const front = new Rogue(await openSystem(), path);
    const handled = (): number => events.filter(({ kind }) => kind === "request").length;
    // Until a reply finds no room any more.
    for (let sent = 0; sent - handled() < 20; sent++) {
      await front.send(R.VHOST_USER_GET_FEATURES, Buffer.alloc(0));
      await wait(0);
    }
    await server.close();
    front.system.close();
  });

  it("says so when it ends within a message", async () => {
    const { path, events } = await serve(disk());
    const system = await openSystem();
    await system.connect(path).sendAll(words(R.VHOST_USER_GET_FEATURES, VERSION));
    system.close();
    while (!events.some(({ kind }) => kind === "disconnected")) await wait(1);
    expect(events).toContainEqual({
      kind: "disconnected",
      error: expect.objectContaining({ message: "it ends 8 bytes into a message" }),
    });
  });

  it("has a driver that breaks a virtqueue: that one stops, until it is set up again", async () => {
    const { connect, events } = await serve(
      new BlkDevice({ disk: new Uint8Array(1 << 16), queues: 2, queueSize: 64 }),
    );
    const frontend = await connect();
    const guest = await blkGuest(frontend, { queues: 2 });
    const broken = frontend.rings.get(0);
    // virtq_avail.idx: more buffers than there are descriptors.
    guest.memory.write((broken?.place.driverArea ?? 0) + 2, Uint8Array.of(65, 0));
    broken?.kick.signal();
    await broken?.error.ready("readable");
    guest.blk.flush(1);
    expect(await guest.next()).toMatchObject({ status: 0 });
    // What concerns other virtqueues does not open it again.
    await frontend.startLog();
    expect(events.filter(({ kind }) => kind === "broken")).toEqual([
      { kind: "broken", queue: 0, error: expect.objectContaining({ code: "index" }) },
    ]);
    await frontend.stopLog();
    await guest.bus.stop();
    const next = await blkGuest(frontend, { queues: 2 });
    next.blk.flush(0);
    expect(await next.next()).toMatchObject({ status: 0 });
  });

  it("leaves nothing open, whatever it says", async () => {
    const { path, connect, events } = await serve(disk());
    (await connect()).close();
    while (!events.some(({ kind }) => kind === "disconnected")) await wait(1);
    const before = readdirSync("/proc/self/fd").length;
    const draw = numbers(11);
    const system = await openSystem();
    for (let round = 0; round < 150; round++) {
      const front = new Rogue(system, path);
      const things = [
        () => front.system.eventfd(),
        () => front.system.memfd("m", draw(3) * 4096),
        () => front.system.pipe()[draw(2)],
        () => front.system.socketPair()[0],
      ];
      try {
        await front.agree();
        for (let step = draw(12); step > 0; step--) {
          const payload = Buffer.from(
            Array.from({ length: draw(3) * 8 + draw(2) * draw(60) }, () =>
              draw(3) === 0 ? draw(256) : draw(2),
            ),
          );
          const descriptors = Array.from({ length: draw(4) === 0 ? draw(5) : draw(2) }, () =>
            things[draw(things.length)]?.(),
          );
          await front.send(
            1 + draw(45),
            payload,
            descriptors.filter((one) => one !== undefined),
            VERSION | (draw(2) * NEED_REPLY),
          );
        }
      } catch {
        // The connection has ended, as it should.
      }
      system.close();
    }
    const last = await connect();
    const guest = await blkGuest(last);
    guest.blk.flush();
    expect(await guest.next()).toMatchObject({ status: 0 });
    last.close();
    const ended = (): number => events.filter(({ kind }) => kind === "disconnected").length;
    while (ended() < 152) await wait(1);
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
    // 150 connections.
  }, 120_000);
});
