import { spawnSync } from "node:child_process";
import { fstatSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Descriptor, openSystem, type System, type UnixSocket } from "../../../src/vhost-user/index.js";
import { describeHere } from "../here.js";

/** What the process has open, as the kernel says. */
function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "gone";
    }
  });
}

describeHere("the system", () => {
  let system: System;
  let folder: string;

  beforeEach(async () => {
    system = await openSystem();
    folder = mkdtempSync(join(tmpdir(), "virtwire-system-"));
  });

  afterEach(() => {
    system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("leaves nothing open", async () => {
    // The event loop opens what it needs with the first thing that is watched.
    system.eventfd().watch("readable", () => {});
    system.close();
    const before = openDescriptors().length;
    const path = join(folder, "s");
    const listener = system.listen(path);
    const a = system.connect(path);
    const b = listener.accept(system);
    const memory = system.memfd("m", 4096);
    system.map(memory, 0, 4096);
    system.pipe()[0].watch("readable", () => {});
    await a.sendAll(Uint8Array.of(1), [memory, system.eventfd()]);
    expect(b?.receive(1)?.descriptors).toHaveLength(2);
    expect(system.open).toBe(10);
    system.close();
    expect(system.open).toBe(0);
    expect(openDescriptors()).toHaveLength(before);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("passes descriptors with the first byte of what is sent", async () => {
    const [a, b] = system.socketPair();
    const memory = system.memfd("shared", 8192);
    await a.sendAll(Uint8Array.of(1, 2, 3), [memory]);
    await a.sendAll(Uint8Array.of(4));
    const first = b.receive(1);
    expect([...(first?.bytes ?? [])]).toEqual([1]);
    const [received] = first?.descriptors ?? [];
    expect(received?.fd).not.toBe(memory.fd);
    expect(fstatSync(received?.fd ?? -1).ino).toBe(fstatSync(memory.fd).ino);
    expect(b.receive(100)).toEqual({ bytes: Uint8Array.of(2, 3, 4), descriptors: [] });
    expect(b.receive(100)).toBeUndefined();
    a.close();
    expect(b.receive(100)?.bytes).toHaveLength(0);
  });

  it("passes as many as the kernel does, and refuses more", async () => {
    const [a, b] = system.socketPair();
    const one = system.eventfd();
    await a.sendAll(Uint8Array.of(1), Array(253).fill(one));
    const received = b.receive(1)?.descriptors ?? [];
    expect(received).toHaveLength(253);
    for (const descriptor of received) descriptor.close();
    expect(() => a.send(Uint8Array.of(1), Array(254).fill(one))).toThrow(RangeError);
  });

  it("shares memory", () => {
    const memory = system.memfd("m", 3 * 4096);
    const whole = system.map(memory, 0, 3 * 4096);
    // An offset that is no multiple of a page.
    const part = system.map(memory, 100, 50);
    memory.close();
    part.bytes[0] = 7;
    expect(whole.bytes[100]).toBe(7);
    expect(part.bytes).toHaveLength(50);
  });

  it("maps more than an ArrayBuffer holds, in windows", () => {
    const GIB = 2 ** 30;
    const memory = system.memfd("m", 9 * GIB);
    const { windows, length } = system.map(memory, 0, 9 * GIB);
    expect(length).toBe(9 * GIB);
    expect(windows.map(({ offset, bytes }) => [offset / GIB, bytes.length / GIB])).toEqual([
      [0, 4],
      [4, 4],
      [8, 1],
    ]);
    const last = windows[2]?.bytes ?? new Uint8Array(0);
    last[GIB - 1] = 9;
    expect(system.map(memory, 9 * GIB - 1, 1).bytes[0]).toBe(9);
    expect(() => system.map(memory, 0, 9 * GIB).bytes).toThrow(RangeError);
  });

  it("maps nothing beyond the end of a file, where an access would end the process", () => {
    const memory = system.memfd("m", 4096);
    expect(() => system.map(memory, 0, 4097)).toThrow(RangeError);
    expect(() => system.map(memory, 4096, 1)).toThrow(RangeError);
    expect(() => system.map(memory, 0, 0)).toThrow(RangeError);
    expect(() => system.map(memory, -1, 2)).toThrow(RangeError);
    expect(() => system.map(memory, 2 ** 53, 1)).toThrow(RangeError);
    expect(() => system.map(system.eventfd(), 0, 1)).toThrow(RangeError);
  });

  it("waits in the event loop", async () => {
    const event = system.eventfd();
    expect(event.clear()).toBe(false);
    let seen = 0;
    event.watch("readable", () => {
      expect(event.clear()).toBe(true);
      seen++;
    });
    for (const expected of [1, 2]) {
      event.signal();
      await until(() => seen === expected);
    }
    event.unwatch("readable");
    event.signal();
    await wait(20);
    expect(seen).toBe(2);
    await event.ready("readable");
    expect(event.clear()).toBe(true);
  });

  it("goes on watching what nobody else holds", async () => {
    const [a, b] = system.socketPair();
    let seen = 0;
    b.watch("readable", () => {
      seen += b.receive(10)?.bytes.length ?? 0;
    });
    await a.sendAll(Uint8Array.of(1));
    await until(() => seen === 1);
    // Enough garbage for several collections.
    for (let i = 0; i < 200; i++) new Uint8Array(1 << 20).fill(i);
    await a.sendAll(Uint8Array.of(2));
    await until(() => seen === 2);
  });

  it("can be closed while it is watched, and from within", async () => {
    const event = system.eventfd(1);
    let seen = 0;
    event.watch("readable", () => {
      seen++;
      event.close();
    });
    await until(() => seen === 1);
    await wait(5);
    expect(seen).toBe(1);
    expect(() => event.fd).toThrow("EBADF");
    const other = system.eventfd();
    const ready = other.ready("readable");
    other.close();
    await expect(ready).rejects.toMatchObject({ code: "ECANCELED" });
  });

  it("refuses to watch what cannot be waited for", () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    for (const name of [path, "/dev/null"]) {
      const descriptor = system.own(new Descriptor(system, openSync(name, "r")));
      expect(() => descriptor.watch("readable", () => {})).toThrow("EPERM");
    }
  });

  it("watches reading and writing of one descriptor", async () => {
    const [a, b] = system.socketPair();
    const sent = a.sendAll(new Uint8Array(1 << 20).fill(5));
    const back = new Promise<number>((resolve) => {
      a.watch("readable", () => resolve(a.receive(10)?.bytes[0] ?? 0));
    });
    await b.sendAll(Uint8Array.of(9));
    expect(await back).toBe(9);
    expect(await total(b, 1 << 20)).toBe(5 << 20);
    await sent;
  });

  it("does not wait on what came as a blocking descriptor", () => {
    const [, end] = system.pipe();
    const full = new Uint8Array(65536);
    while (end.write(full) !== undefined);
    expect(end.write(full)).toBeUndefined();
    end.setNonBlocking();
    end.signal();
  });

  it("says what failed", () => {
    expect(() => system.connect(join(folder, "none"))).toThrow(
      expect.objectContaining({ code: "ENOENT", call: "connect" }),
    );
    expect(() => system.connect(join(folder, "x".repeat(120)))).toThrow(RangeError);
    const path = join(folder, "s");
    system.listen(path);
    expect(() => system.listen(path)).toThrow(expect.objectContaining({ code: "EADDRINUSE" }));
    const [a, b] = system.socketPair();
    b.close();
    expect(() => a.send(Uint8Array.of(1))).toThrow(expect.objectContaining({ code: "EPIPE" }));
  });

  it("says what is missing elsewhere", () => {
    const program = `
      import { openSystem } from "./src/vhost-user/index.ts";
      Object.defineProperty(process, "platform", { value: "darwin" });
      await openSystem().catch((error) => console.log(error.name, error.code));
    `;
    const options = ["--import", "tsx", "--input-type=module", "--eval", program];
    const { stdout } = spawnSync(process.execPath, options, { encoding: "utf8" });
    expect(stdout.trim()).toBe("NoSystemCallsError platform");
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(1);
}

/** Receives `length` bytes, and adds them up. */
async function total(socket: UnixSocket, length: number): Promise<number> {
  let sum = 0;
  for (let left = length; left > 0; ) {
    const arrival = socket.receive(left);
    if (arrival === undefined) await socket.ready("readable");
    else {
      left -= arrival.bytes.length;
      for (const byte of arrival.bytes) sum += byte;
    }
  }
  return sum;
}
