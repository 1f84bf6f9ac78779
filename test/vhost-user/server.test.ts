/** Who connects to whom, and what happens when one of them goes. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BlkDevice } from "../../src/device/index.js";
import { openSystem, type System, VhostUserServer } from "../../src/vhost-user/index.js";
import { temporaryFolder } from "../cli/harness.js";
import { describeHere } from "./here.js";

const disk = (): BlkDevice => new BlkDevice({ disk: new Uint8Array(512) });

describeHere("a server", () => {
  it("finds a front-end that listens, also one that comes later and one that comes again", async () => {
    const path = join(temporaryFolder(), "s");
    const seen: string[] = [];
    const server = await VhostUserServer.start(disk(), path, {
      client: true,
      retryAfter: 5,
      onEvent: ({ kind }) => seen.push(kind),
    });
    for (let round = 0; round < 2; round++) {
      const system = await openSystem();
      const listener = system.listen(path);
      await listener.ready("readable");
      const socket = listener.accept(system);
      // VHOST_USER_GET_FEATURES, version 1, no payload.
      await socket?.sendAll(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
      await socket?.ready("readable");
      // The same as a reply, with 64 bits.
      expect(socket?.receive(12)?.bytes).toEqual(Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0));
      system.close();
    }
    await server.close();
    expect(seen.filter((kind) => kind === "connected").length).toBeGreaterThanOrEqual(2);
    expect(server.isConnected).toBe(false);
  });

  it("takes the place of a socket that was left behind, and of nothing else", async () => {
    const path = join(temporaryFolder(), "s");
    await (await leftBehind(path)).close();
    const server = await VhostUserServer.start(disk(), path);
    await expect(VhostUserServer.start(disk(), path)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await server.close();
    writeFileSync(path, "a file");
    await expect(VhostUserServer.start(disk(), path)).rejects.toMatchObject({ code: "EADDRINUSE" });
    rmSync(path);
  });

  it("serves those that wait, one after the other", async () => {
    const path = join(temporaryFolder(), "s");
    const server = await VhostUserServer.start(disk(), path);
    const system = await openSystem();
    const sockets = [1, 2, 3].map(() => system.connect(path));
    for (const socket of sockets) {
      await socket.sendAll(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
      await socket.ready("readable");
      socket.close();
    }
    system.close();
    await server.close();
  });
});

/** A socket that nobody listens on any more, as after a kill: its path is still there. */
async function leftBehind(path: string): Promise<System> {
  const system = await openSystem();
  system.native.close(system.listen(path).release());
  return system;
}
