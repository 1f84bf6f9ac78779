import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import {
  VhostUserFrontendRequest,
  VhostUserProtocolFeature,
} from "../../../generated/vhost-user/messages.js";
import { VhostUserFrontend } from "../../../src/vhost-user/frontend/frontend.js";
import { type Descriptor, SystemCallError, Tap, UnixListener } from "../../../src/vhost-user/index.js";
import { temporaryFolder, virtwire } from "../../cli/harness.js";
import { readConversation } from "../../streams/vhost-user/read.js";
import { message, reply, scriptedBackend, u64, writeAll } from "../frontend/scripted-backend.js";
import { describeHere } from "../here.js";
import { type RunningTap, startTap } from "./start-tap.js";

const R = VhostUserFrontendRequest;
const {
  VHOST_USER_PROTOCOL_F_REPLY_ACK: ACK,
  VHOST_USER_PROTOCOL_F_DEVICE_STATE: STATE,
  VHOST_USER_PROTOCOL_F_BACKEND_REQ: BACKEND,
  VHOST_USER_PROTOCOL_F_CONFIG: CONFIG,
} = VhostUserProtocolFeature;

/** A tap in front of a back-end, for one session. */
async function tapped(backend: string): Promise<RunningTap> {
  const folder = temporaryFolder();
  return await startTap(join(folder, "tap.sock"), backend, join(folder, "talk.pcapng"), "--once");
}

describeHere("virtwire tap", () => {
  it("records states of any size, both ways, and lets them through", async () => {
    const saved = new Uint8Array(300_000).map((_, i) => i * 7);
    const loaded = new Uint8Array(200_000).map((_, i) => i * 11);
    let writing: Promise<void> | undefined;
    let reading: Promise<Uint8Array> | undefined;
    const { path: backend } = await scriptedBackend(ACK | STATE, (one) => {
      const [pipe] = one.descriptors;
      if (one.request === R.VHOST_USER_SET_DEVICE_STATE_FD && pipe !== undefined) {
        if (one.payload.readUInt32LE(0) === 0) writing = writeAll(pipe, saved);
        else reading = readAll(pipe);
        return reply(one, u64(0x100n));
      }
      return one.request === R.VHOST_USER_CHECK_DEVICE_STATE ? reply(one, u64(0n)) : undefined;
    });
    const { path, file, done } = await tapped(backend);
    const frontend = await VhostUserFrontend.connect(path);
    expect(Buffer.from(await frontend.saveState()).equals(saved)).toBe(true);
    await frontend.loadState(loaded);
    await writing;
    expect(Buffer.from((await reading) ?? []).equals(loaded)).toBe(true);
    frontend.close();
    expect(await done).toMatchObject({
      code: 0,
      out: expect.stringContaining("500,000 bytes of device state"),
    });
    const { events, findings, faults } = readConversation(new Uint8Array(readFileSync(file)), "pcapng");
    expect([findings, faults]).toEqual([[], []]);
    const states = events.flatMap((event) => (event.kind === "state" ? [event.contents] : []));
    expect(states.map(({ from, size }) => [from, size])).toEqual([
      ["be", saved.length],
      ["fe", loaded.length],
    ]);
    expect(Buffer.from(states[0]?.bytes ?? []).equals(saved)).toBe(true);
    expect(Buffer.from(states[1]?.bytes ?? []).equals(loaded)).toBe(true);
  });

  it("records a state that the back-end sends through a pipe of its own", async () => {
    const saved = new Uint8Array(100_000).fill(3);
    let writing: Promise<void> | undefined;
    const { path: backend, system } = await scriptedBackend(ACK | STATE, (one, socket) => {
      for (const descriptor of one.descriptors) descriptor.close();
      if (one.request === R.VHOST_USER_SET_DEVICE_STATE_FD) {
        const [theirs, ours] = system.pipe();
        socket.send(reply(one, u64(0n)), [theirs]);
        theirs.close();
        writing = writeAll(ours, saved);
        return Buffer.alloc(0);
      }
      return one.request === R.VHOST_USER_CHECK_DEVICE_STATE ? reply(one, u64(0n)) : undefined;
    });
    const { path, file, done } = await tapped(backend);
    const frontend = await VhostUserFrontend.connect(path);
    expect(Buffer.from(await frontend.saveState()).equals(saved)).toBe(true);
    await writing;
    frontend.close();
    await done;
    const { events } = readConversation(new Uint8Array(readFileSync(file)), "pcapng");
    const states = events.flatMap((event) => (event.kind === "state" ? [event.contents] : []));
    expect(states.map(({ from, size }) => [from, size])).toEqual([["be", saved.length]]);
  });

  it("stands in the back-end's own channel too", async () => {
    let channel: Descriptor | undefined;
    const { path: backend } = await scriptedBackend(ACK | BACKEND | CONFIG, (one) => {
      if (one.request === R.VHOST_USER_SET_BACKEND_REQ_FD) channel = one.descriptors[0];
      return undefined;
    });
    const { path, file, done } = await tapped(backend);
    let changes = 0;
    const frontend = await VhostUserFrontend.connect(path, { onConfigChanged: () => changes++ });
    channel?.write(message(2, 9, Buffer.alloc(0)));
    await channel?.ready("readable");
    expect(channel?.read(new Uint8Array(64))).toBe(20);
    expect(changes).toBe(1);
    frontend.close();
    await done;
    const { events } = readConversation(new Uint8Array(readFileSync(file)), "pcapng");
    const said = events.flatMap((event) =>
      event.kind === "message" && event.message.channel === "backend"
        ? [`${event.message.from} ${event.message.row?.name} ${event.message.isReply}`]
        : [],
    );
    expect(said).toEqual([
      "be VHOST_USER_BACKEND_CONFIG_CHANGE_MSG false",
      "fe VHOST_USER_BACKEND_CONFIG_CHANGE_MSG true",
    ]);
  });

  it("passes on what is no message, and ends there", async () => {
    const { path: backend } = await scriptedBackend(ACK, (one, socket) => {
      if (one.request !== R.VHOST_USER_SET_FEATURES) return undefined;
      socket.send(Buffer.from("0200000005", "hex"));
      socket.close();
      return undefined;
    });
    const { path, file, done } = await tapped(backend);
    const frontend = await VhostUserFrontend.connect(path);
    await expect(frontend.setFeatures(0n)).rejects.toThrow("it ends 5 bytes into a message");
    frontend.close();
    expect((await done).code).toBe(0);
    const { events } = readConversation(new Uint8Array(readFileSync(file)), "pcapng");
    expect(events.at(-2)).toMatchObject({ kind: "damage", from: "be" });
  });

  it("turns a front-end away when there is no back-end, and says so", async () => {
    const folder = temporaryFolder();
    const none = join(folder, "none.sock");
    const { path, file, end } = await startTap(join(folder, "tap.sock"), none, join(folder, "talk.pcapng"));
    await expect(VhostUserFrontend.connect(path)).rejects.toThrow(/connection/);
    const { code, err, out } = await end();
    expect([code, out]).toEqual([0, `${file}: 0 sessions, 0 messages\n`]);
    expect(err).toMatch(/^a front-end was turned away: connect .*none\.sock: ENOENT$/m);
    expect(existsSync(path)).toBe(false);
    expect(await virtwire(["tap", "--listen", path, "--connect", none, "-o", file])).toMatchObject({
      code: 2,
      err: expect.stringContaining("is not overwritten"),
    });
  });

  it("goes on when a front-end cannot be accepted for want of descriptors", async () => {
    const { path: backend } = await scriptedBackend(ACK, () => undefined);
    const path = join(temporaryFolder(), "tap.sock");
    const turnedAway: Error[] = [];
    const tap = await Tap.open(path, backend, {
      began: () => {},
      record: () => {},
      ended: () => {},
      refused: (error) => turnedAway.push(error),
    });
    onTestFinished(() => tap.close());
    const accept = vi.spyOn(UnixListener.prototype, "accept").mockImplementationOnce(() => {
      throw new SystemCallError("accept4", "EMFILE");
    });
    onTestFinished(() => accept.mockRestore());
    // It waits in the listener's queue until there are some again.
    const frontend = await VhostUserFrontend.connect(path);
    expect(turnedAway).toEqual([expect.objectContaining({ code: "EMFILE" })]);
    frontend.close();
  });

  it.each([
    ["a folder that is not there", "none/tap.sock", "bind .*ENOENT"],
    ["a path that is taken", "talk.sock", "bind .*EADDRINUSE"],
    ["a path that is too long", "x".repeat(120), "a socket's path has 1 to 107 bytes"],
  ])("says that it cannot listen at %s, and leaves no recording", async (_, name, what) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "talk.sock"), "");
    const file = join(folder, "talk.pcapng");
    const argv = ["tap", "--listen", join(folder, name), "--connect", join(folder, "y"), "-o", file];
    expect(await virtwire(argv)).toMatchObject({ code: 2, err: expect.stringMatching(what) });
    expect(existsSync(file)).toBe(false);
  });
});

async function readAll(pipe: Descriptor): Promise<Uint8Array> {
  pipe.setNonBlocking();
  const chunks: Uint8Array[] = [];
  const chunk = new Uint8Array(5000);
  while (true) {
    const length = pipe.read(chunk);
    if (length === 0) break;
    if (length === undefined) await pipe.ready("readable");
    else chunks.push(chunk.slice(0, length));
  }
  pipe.close();
  return Buffer.concat(chunks);
}
