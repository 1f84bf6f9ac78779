/** A conversation with qemu-storage-daemon through the tap, and what `inspect` and `check` make of the recording. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder, virtwire } from "../../cli/harness.js";
import { startTap } from "../../vhost-user/tap/start-tap.js";
import { describeWith } from "../describe-with.js";
import { storageDaemon } from "../programs.js";
import { storageDaemonWith } from "./backend-process.js";
import { blkGuest, QUEUES } from "./blk-guest.js";

describeWith("a tap before qemu-storage-daemon", storageDaemon(), (program) => {
  it("changes nothing, and leaves a recording without a finding", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "disk.img");
    const socket = join(folder, "tap.sock");
    const file = join(folder, "talk.pcapng");
    writeFileSync(image, new Uint8Array(1 << 20).fill(0x5a));
    await using daemon = storageDaemonWith(program, image, join(folder, "blk.sock"), QUEUES);
    // The daemon serves one front-end at a time: this one only sees that it is there.
    (await daemon.connect()).close();
    const tap = await startTap(socket, daemon.socket, file, "--once");
    const frontend = await daemon.connect({}, socket);
    const { bus, blk, next } = await blkGuest(frontend, 0n);
    const log = await frontend.startLog();
    blk.readSectors(0, 8);
    const { data } = await next();
    expect(data.every((byte) => byte === 0x5a)).toBe(true);
    expect([...log.pages()].length).toBeGreaterThan(1);
    await frontend.stopLog();
    await bus.stop();
    frontend.close();
    const { code, out } = await tap.done;
    expect([code, out]).toEqual([0, expect.stringMatching(/talk\.pcapng: 1 session, \d+ messages\n$/)]);

    const checked = await virtwire(["check", file]);
    expect([checked.code, checked.err, checked.out]).toEqual([
      0,
      "",
      expect.stringMatching(/no rule is broken/),
    ]);
    const inspected = await virtwire(["inspect", file]);
    expect([inspected.code, inspected.err]).toEqual([0, ""]);
    expect(inspected.out).toContain("clean: every message is read, and no rule is broken");
    // A descriptor for each: two regions, two rings of three eventfds, the log, the back-end's channel.
    expect(inspected.out).toMatch(/descriptors +10\n/);
    expect(inspected.out).toContain("VHOST_USER_SET_LOG_BASE");
  });
});
