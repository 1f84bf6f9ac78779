/** A live migration with a tap at every back-end: what `inspect` and `check` make of all that was said. */
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { virtwire } from "../../cli/harness.js";
import { type RunningTap, startTap } from "../../vhost-user/tap/start-tap.js";
import { describeLive } from "../describe-with.js";
import { disk, nic } from "./devices.js";
import type { LinuxGuest } from "./linux-guest.js";
import { migrate } from "./migrate.js";
import { Stage } from "./stage.js";

interface Row {
  readonly record: string;
  readonly from?: string;
  readonly format?: string;
  readonly path: string;
  readonly name: string;
}

describeLive("the conversations of a live migration", (program, image) => {
  const stage = new Stage(program, image);
  afterAll(() => stage[Symbol.asyncDispose]());

  it("are recorded, explained to the fields of the device's context, and break no rule", async () => {
    const taps: RunningTap[] = [];
    const tapped = async (socket: string): Promise<string> => {
      const path = stage.path(`${socket}.tap`);
      taps.push(await startTap(path, stage.path(socket), stage.path(`${socket}.pcapng`)));
      return path;
    };
    const machine = async (name: string, incoming?: "running"): Promise<LinuxGuest> => {
      await stage.backEnd(`${name}.net`, "--device", "net");
      await stage.backEnd(`${name}.blk`, "--device", "blk", "--file", stage.path("disk.img"));
      const devices = [
        ...nic({ id: "net", socket: await tapped(`${name}.net`) }),
        ...disk({ id: "blk", socket: await tapped(`${name}.blk`) }),
      ];
      return await stage.guest({ name, memory: 128, cpus: 1, devices, ...(incoming && { incoming }) });
    };
    stage.blankDisk("disk.img", 8);
    const here = await machine("a");
    await here.run("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up && ping -c 3 10.0.0.1");
    const there = await machine("b", "running");
    const { info, recording } = await migrate(here, there, stage.folder);
    expect([info.status, info["error-desc"]]).toEqual(["completed", undefined]);
    await there.run("ping -c 3 10.0.0.1");
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    await recording.ended;

    for (const { file, end } of taps) {
      expect(await end()).toMatchObject({ code: 0, err: "" });
      const checked = await virtwire(["check", file]);
      expect([checked.code, checked.err, checked.out]).toEqual([
        0,
        "",
        expect.stringMatching(/no rule is broken\n$/),
      ]);
      const { code, err, out } = await virtwire(["inspect", "--format", "jsonl", file]);
      expect([code, err]).toEqual([0, ""]);
      const rows: Row[] = out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
      // QEMU 10.0 asks network devices and file systems for their state, and no others.
      const from = file.endsWith("a.net.pcapng") ? "be" : "fe";
      const states = rows.filter(({ record }) => record === "state");
      expect(states).toMatchObject(file.includes(".blk.") ? [] : [{ from, format: "virtio_dev_ctx" }]);
      expect(out.includes("VIRTIO_DEV_CTX_DEV_FEATURES")).toBe(states.length > 0);
    }
    const { forward, back } = recording.files;
    const inspected = await virtwire(["inspect", "-v", forward]);
    expect([inspected.code, inspected.err]).toEqual([0, ""]);
    expect(inspected.out).toContain("VIRTIO_DEV_CTX_DEV_FEATURES");
    expect((await virtwire(["inspect", forward, back])).code).toBe(0);
    expect(readFileSync(forward).length).toBeGreaterThan(1 << 20);
  });
});
