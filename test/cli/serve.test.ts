/** The command in this process: a front-end connects to what it serves, and an interrupt ends it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { VhostUserFrontend } from "../../src/vhost-user/index.js";
import { describeHere } from "../vhost-user/here.js";
import { temporaryFolder, virtwire } from "./harness.js";

describe("serve refuses", () => {
  it.each([
    [["--device", "gpu", "--socket", "s"], "--device is net or blk"],
    [["--device", "blk", "--socket", "s"], "needs --file FILE, or --size SIZE"],
    [
      ["--device", "blk", "--socket", "s", "--size", "1M", "--file", "f"],
      "needs --file FILE, or --size SIZE",
    ],
    [["--device", "blk", "--socket", "s", "--size", "1000"], "--size is whole sectors"],
    [
      ["--device", "blk", "--socket", "s", "--size", "1M", "--pcap", "f"],
      "--pcap is nothing for --device blk",
    ],
    [["--device", "blk", "--socket", "s", "--socket", "t", "--size", "1M"], "a disk has one --socket"],
    [["--device", "net", "--socket", "s", "--queues", "0"], "--queues is a number from 1 to 64"],
    [["--device", "net", "--socket", "s", "--mac", "1:2"], "--mac is six bytes"],
    [["--device", "net", "--socket", "s", "--address", "10.0.0"], "--address is four numbers"],
    [
      ["--device", "net", "--socket", "s", "--without", "VIRTIO_F_LOVE"],
      "no feature is called VIRTIO_F_LOVE",
    ],
    [["--device", "net"], "socket"],
  ])("%j", async (args, text) => {
    const { code, err } = await virtwire(["serve", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(text);
  });
});

describeHere("serve", () => {
  /** Serves, does something meanwhile, and ends it as Ctrl-C would. */
  async function serving(args: readonly string[], path: string, act: () => Promise<void>) {
    let interrupt = (): void => {};
    const interrupted = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const ran = virtwire(["serve", ...args, "--socket", path], { interrupted: () => interrupted });
    while (!existsSync(path)) await wait(5);
    await act();
    interrupt();
    return ran;
  }

  it("is a disk in a file, and says what happens", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "disk.img");
    writeFileSync(file, new Uint8Array(1 << 20));
    const path = join(folder, "s");
    const { code, out } = await serving(
      ["--device", "blk", "--file", file, "--queues", "3", "-v"],
      path,
      async () => {
        const frontend = await VhostUserFrontend.connect(path);
        expect(frontend.queueCount).toBe(3);
        // virtio_blk_config.capacity: 64 bits, little-endian, in sectors.
        expect(Buffer.from(await frontend.getConfig(0, 8)).readBigUInt64LE()).toBe(2048n);
        frontend.close();
      },
    );
    expect(code).toBe(0);
    expect(out).toContain("listening");
    expect(out).toContain("a front-end has connected");
    expect(out).toContain("VHOST_USER_GET_CONFIG");
    expect(out.trimEnd().endsWith("0 requests")).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  it("is a network device that records its traffic", async () => {
    const folder = temporaryFolder();
    const pcap = join(folder, "net.pcapng");
    const path = join(folder, "s");
    const mac = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
    const { code, out } = await serving(
      ["--device", "net", "--pcap", pcap, "--queues", "2"],
      path,
      async () => {
        const frontend = await VhostUserFrontend.connect(path);
        expect(frontend.queueCount).toBe(2);
        await frontend.sendRarp(mac);
        frontend.close();
      },
    );
    expect(code).toBe(0);
    expect(out).toContain("announcing 52:54:00:01:02:03");
    expect(out).toContain("1 announcement");
    // RFC 903: a broadcast frame of type 0x8035, operation 3, that asks for its own address.
    const frame = Buffer.concat([
      Buffer.from("ffffffffffff", "hex"),
      mac,
      Buffer.from("8035000108000604000352540001020300000000", "hex"),
      mac,
    ]);
    expect(readFileSync(pcap).includes(frame)).toBe(true);
    const again = await virtwire(["serve", "--device", "net", "--socket", path, "--pcap", pcap]);
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining("is not overwritten") });
  });

  it("does not take the socket of another server, and takes one that was left behind", async () => {
    const path = join(temporaryFolder(), "s");
    await serving(["--device", "net"], path, async () => {
      const { code, err } = await virtwire(["serve", "--device", "net", "--socket", path]);
      expect(code).toBe(2);
      expect(err).toContain("EADDRINUSE");
    });
  });
});
