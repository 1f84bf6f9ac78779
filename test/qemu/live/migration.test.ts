/** Live migrations of a Linux guest at work, between QEMUs of which each has back-ends of its own. */
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  decodeVhostUserU64,
  encodeVhostUserU64,
  VHOST_USER_HEADER_SIZE,
} from "../../../generated/vhost-user/messages.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { HOST_IS_LITTLE } from "../../../src/vhost-user/host.js";
import { virtwire } from "../../cli/harness.js";
import { type RunningTap, startTap } from "../../vhost-user/tap/start-tap.js";
import { describeLive } from "../describe-with.js";
import type { BackEnd } from "./back-end.js";
import { disk, nic } from "./devices.js";
import { differingPages } from "./guest-memory.js";
import type { LinuxGuest } from "./linux-guest.js";
import type { Meddling } from "./meddler.js";
import { migrate } from "./migrate.js";
import { pingsOf } from "./pings.js";
import { Stage } from "./stage.js";

const MAC = "52:54:00:00:00:01";
const { VHOST_F_LOG_ALL } = VirtioFeature;

/** The fields of the network device's context to which a path leads, by their places in it. */
async function fieldsOf(file: string, path: string): Promise<string[]> {
  const { code, out, err } = await virtwire(["get", file, path, "--device", "net"]);
  expect([code, err]).toEqual([0, ""]);
  return out
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(line.indexOf(".fields[") + ".fields".length));
}

/** Slow enough for the devices to write to many pages that have been sent already. In bytes a second. */
const SLOW = 60_000_000;

/** The back-end is never told to log what it writes. */
const withoutLogging: Meddling = ({ from, name, bytes }) => {
  if (from === "front-end" && name === "VHOST_USER_SET_FEATURES") {
    const payload = bytes.subarray(VHOST_USER_HEADER_SIZE);
    const { value } = decodeVhostUserU64(payload, HOST_IS_LITTLE);
    payload.set(encodeVhostUserU64({ value: value & ~VHOST_F_LOG_ALL }, HOST_IS_LITTLE));
  }
  return "pass";
};

describeLive("a guest under load that moves from QEMU to QEMU", (program, image) => {
  const stage = new Stage(program, image);
  let guest: LinuxGuest;
  /** The stream of the first migration, both directions. */
  let files = { forward: "", back: "" };
  /** Of conversations with back-ends. The first four are those of the first migration. */
  const taps: RunningTap[] = [];

  interface Side {
    readonly guest: LinuxGuest;
    readonly net: BackEnd;
  }

  /** A machine with back-ends of its own. The disk is the same for all. */
  const machine = async (
    name: string,
    incoming?: "paused" | "running",
    meddling?: Meddling,
  ): Promise<Side> => {
    const net = await stage.backEnd(`${name}.net`, "--device", "net");
    await stage.backEnd(`${name}.blk`, "--device", "blk", "--file", stage.path("disk.img"));
    const socketOf = async (device: string): Promise<string> => {
      if (meddling === undefined) {
        const socket = stage.path(`${device}.tap`);
        taps.push(await startTap(socket, stage.path(device), stage.path(`${device}.pcapng`)));
        return socket;
      }
      await stage.meddler(`${device}.meddled`, device, meddling);
      return stage.path(`${device}.meddled`);
    };
    const devices = [
      // QEMU asks the back-end to announce a guest that does not do so itself.
      ...nic({
        id: "net",
        socket: await socketOf(`${name}.net`),
        properties: `mac=${MAC},guest_announce=off`,
      }),
      ...disk({ id: "blk", socket: await socketOf(`${name}.blk`) }),
    ];
    const more = incoming === undefined ? {} : { incoming };
    return { net, guest: await stage.guest({ name, memory: 128, cpus: 2, devices, ...more }) };
  };

  const load = async (): Promise<void> => {
    await guest.run("pinging start 10.0.0.1 0.02");
    await guest.run("disk-load start 3");
  };

  /** Ends the load, none of which may have gone wrong. */
  const expectAllWell = async (): Promise<void> => {
    const pings = await guest.run("pinging stop");
    const rounds = (await guest.run("disk-load stop")).split("\n");
    const { sent, lost, doubled } = pingsOf(pings);
    expect(sent).toBeGreaterThan(10);
    expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
    const right = /^writer \d ends after [1-9]\d* rounds$/;
    expect(rounds.filter((line) => !right.test(line))).toEqual([]);
    expect(rounds).toHaveLength(3);
  };

  beforeAll(async () => {
    stage.blankDisk("disk.img", 8);
    ({ guest } = await machine("a"));
    await guest.run("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up");
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  it("loses no request and doubles none, and is announced", async () => {
    const { guest: there, net } = await machine("b", "running");
    await load();
    const { info, recording } = await migrate(guest, there, stage.folder);
    expect([info.status, info["error-desc"]]).toEqual(["completed", undefined]);
    files = recording.files;
    await recording.ended;
    process.stdout.write(
      `live migration under load: ${info["total-time"]} ms, downtime ${info.downtime} ms, ${info.ram?.transferred} bytes\n`,
    );
    guest = there;
    await net.says(new RegExp(`announcing ${MAC}`));
    await guest.run("sleep 1");
    await expectAllWell();
  });

  it("has left a stream in which every byte is explained", async () => {
    const { code, out, err } = await virtwire(["inspect", files.forward, files.back]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("verdict       clean: every byte is accounted for");
  });

  it("arrives with every page as it was", async () => {
    const { guest: there } = await machine("c", "paused", withoutLogging);
    await load();
    const { info } = await migrate(guest, there, stage.folder, SLOW);
    expect([info.status, info["error-desc"]]).toEqual(["completed", undefined]);
    expect(differingPages(guest, there)).toEqual([]);
    guest = there;
    await guest.qemu.qmp("cont");
    await guest.run("sleep 1");
    await expectAllWell();
  });

  it("does not when the back-end logs nothing, so the comparison is worth something", async () => {
    const { guest: there } = await machine("d", "paused");
    await load();
    const { info } = await migrate(guest, there, stage.folder, SLOW);
    expect(info.status).toBe("completed");
    expect(differingPages(guest, there)).not.toEqual([]);
  });

  it("has conversations that break no rule, and the stream's device context on both sides", async () => {
    const context = await fieldsOf(files.forward, "sections[*virtio-net].**.chunks[0].data.fields.**");
    expect(
      context.find((line) => /^\[\d+\]\.vq_split_runtime_cfg\.dev_avail_idx = [1-9]/.test(line)),
    ).toBeDefined();
    expect(context.find((line) => line.includes("VIRTIO_DEV_CTX_DEV_CFG"))).toBeDefined();
    // Only now: a device is gone when its tap ends. The machine in the middle was meddled with, and has none.
    expect(taps).toHaveLength(6);
    for (const { file, end } of taps) {
      expect(await end()).toMatchObject({ code: 0, err: "" });
      expect(await virtwire(["check", file])).toMatchObject({ code: 0, err: "" });
      expect(await virtwire(["inspect", file])).toMatchObject({ code: 0, err: "" });
      // QEMU 10.0 asks network devices and file systems for their state, and no others.
      if (/[ab]\.net\./.test(file)) expect(await fieldsOf(file, "states[0].fields.**")).toEqual(context);
    }
  });
});
