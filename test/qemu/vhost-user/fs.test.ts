/**
 * Our front-end moves a guest's open file from one virtiofsd to another: the state that the first has saved, and the second
 * has loaded, is all that the second knows of it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { decodeVirtiofsdState } from "../../../generated/vhost-user/virtiofsd-state.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Allocator, GuestDriver } from "../../../src/device/index.js";
import { FrontendBus, type VhostUserFrontend } from "../../../src/vhost-user/index.js";
import { temporaryFolder, virtwire } from "../../cli/harness.js";
import { startTap } from "../../vhost-user/tap/start-tap.js";
import { describeIfThere } from "../describe-with.js";
import { type Program, virtiofsd } from "../programs.js";
import { BackendProcess } from "./backend-process.js";
import { type FuseRequest, init, lookup, open, ROOT, read, replyIn } from "./fuse.js";

const SIZE = 4 << 20;
const REQUESTS = 1;
const ALL = 2n ** 64n - 1n;

/** A guest that has the file system's queues, and a page for each request and reply. */
async function fsGuest(frontend: VhostUserFrontend) {
  const memory = await frontend.shareMemory([{ guestAddress: 0, length: SIZE }]);
  const bus = new FrontendBus(frontend, memory.guest, {
    id: VirtioDeviceId.VIRTIO_ID_FS,
    queueSizes: [64, 64],
  });
  const allocator = new Allocator(0x1000, SIZE);
  const driver = new GuestDriver(bus, memory.guest, allocator, ALL);
  const out = allocator.take(4096, 4096);
  const back = allocator.take(8192, 4096);
  await bus.ready();
  const ask = async ({ bytes, room }: FuseRequest): Promise<Buffer> => {
    memory.guest.write(out, bytes);
    driver.queues[REQUESTS]?.add({
      readable: [{ address: out, length: bytes.length }],
      writable: [{ address: back, length: room }],
    });
    driver.kick(REQUESTS);
    const { written } = await bus.next(driver.queues, () => driver.queues[REQUESTS]?.poll());
    const { error, body } = replyIn(memory.guest.read(back, written));
    expect(error).toBe(0);
    return body;
  };
  return { bus, ask };
}

function start(program: Program, shared: string, socket: string): BackendProcess {
  return new BackendProcess(
    program,
    ["--socket-path", socket, "--shared-dir", shared, "--sandbox", "none", "--seccomp", "none"],
    socket,
  );
}

describeIfThere(
  "a front-end of virtiofsd",
  virtiofsd(),
  "VIRTWIRE_VIRTIOFSD names no folder with one",
  (program) => {
    it("carries an open file over to another one", async () => {
      const folder = temporaryFolder();
      const shared = join(folder, "shared");
      mkdirSync(join(shared, "inner"), { recursive: true });
      writeFileSync(join(shared, "inner", "file"), "what the guest has open");
      const file = join(folder, "talk.pcapng");

      await using source = start(program, shared, join(folder, "a.sock"));
      const from = await source.connect();
      expect(from.hasProtocol(VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_DEVICE_STATE)).toBe(true);
      const before = await fsGuest(from);
      await before.ask(init());
      const inner = (await before.ask(lookup(ROOT, "inner"))).readBigUInt64LE(0);
      const node = (await before.ask(lookup(inner, "file"))).readBigUInt64LE(0);
      const handle = (await before.ask(open(node))).readBigUInt64LE(0);
      expect((await before.ask(read(node, handle, 0n, 100))).toString()).toBe("what the guest has open");
      await before.bus.stop();
      const state = await from.saveState();
      from.close();
      // All of it is in the format that the schema describes.
      expect(decodeVirtiofsdState(state)).toBeDefined();

      await using destination = start(program, shared, join(folder, "b.sock"));
      // It serves one front-end, so the tap may connect first.
      await destination.listens();
      const tap = await startTap(join(folder, "tap.sock"), destination.socket, file, "--once");
      const to = await destination.connect({}, tap.path);
      await to.loadState(state);
      const after = await fsGuest(to);
      expect((await after.ask(read(node, handle, 5n, 100))).toString()).toBe("the guest has open");
      await after.bus.stop();
      to.close();
      expect((await tap.done).code).toBe(0);
      const checked = await virtwire(["check", file]);
      expect([checked.code, checked.out]).toEqual([0, expect.stringContaining("no rule is broken")]);
      expect((await virtwire(["inspect", file])).out).toMatch(
        /device state, [\d,]+ bytes ╌+▶│ {2}virtiofsd_state/,
      );
    });

    it("hears that a state is none", async () => {
      const folder = temporaryFolder();
      await using daemon = start(program, folder, join(folder, "a.sock"));
      const frontend = await daemon.connect();
      await expect(frontend.loadState(new Uint8Array(1000).fill(0xee))).rejects.toThrow(
        "the back-end refuses",
      );
      frontend.close();
    });
  },
);
