/**
 * Live migrations that go wrong, at every step of the transfer of a back-end's state: the guest survives wherever the
 * protocol allows, and the back-end that is left says what happened.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  decodeVhostUserU64,
  encodeVhostUserU64,
  VHOST_USER_HEADER_SIZE,
} from "../../../generated/vhost-user/messages.js";
import { HOST_IS_LITTLE } from "../../../src/vhost-user/host.js";
import { describeLive } from "../describe-with.js";
import type { BackEnd } from "./back-end.js";
import { nic } from "./devices.js";
import type { LinuxGuest } from "./linux-guest.js";
import type { Fate, Meddler, Meddling, Passing } from "./meddler.js";
import { migrate } from "./migrate.js";
import { pingsOf } from "./pings.js";
import { Stage } from "./stage.js";

/** A machine with one network device, whose conversation with its back-end is in our hands. */
interface Side {
  readonly name: string;
  readonly guest: LinuxGuest;
  backEnd: BackEnd;
  readonly meddler: Meddler;
}

function change({ bytes }: Passing, to: (value: bigint) => bigint): void {
  const payload = bytes.subarray(VHOST_USER_HEADER_SIZE);
  const { value } = decodeVhostUserU64(payload, HOST_IS_LITTLE);
  payload.set(encodeVhostUserU64({ value: to(value) }, HOST_IS_LITTLE));
}

const pass: Meddling = () => "pass";
const isAnswer = ({ from, name }: Passing, to: string): boolean => from === "back-end" && name === to;
const isRequest = ({ from, name }: Passing, what: string): boolean => from === "front-end" && name === what;

const checkFails: Meddling = (message) => {
  if (isAnswer(message, "VHOST_USER_CHECK_DEVICE_STATE")) change(message, () => 1n);
  return "pass";
};
const cutInAnswerTo =
  (name: string): Meddling =>
  (message) =>
    isAnswer(message, name) ? "cut" : "pass";

interface Failure {
  readonly name: string;
  readonly at: "source" | "destination";
  /** `kill`: ends the back-end at that side. */
  readonly meddling?: (kill: Kill) => Meddling;
  /** Options of `serve` at the destination. */
  readonly serves?: readonly string[];
  /** Where the guest runs on. */
  readonly guestAt: "source" | "destination";
  /** What the guest is left with: a back-end that was connected anew, or another one than before. Its link was down. */
  readonly meanwhile?: "reconnected" | "replaced";
  /** What the back-end at that side writes. */
  readonly says?: RegExp;
}

const TRANSFER = "VHOST_USER_SET_DEVICE_STATE_FD";
const CHECK = "VHOST_USER_CHECK_DEVICE_STATE";

type Kill = () => Promise<void>;

const killBefore =
  (request: string) =>
  (kill: Kill): Meddling =>
  async (message): Promise<Fate> => {
    if (isRequest(message, request)) await kill();
    return "pass";
  };
const killAfter =
  (request: string) =>
  (kill: Kill): Meddling =>
  async (message): Promise<Fate> => {
    if (isAnswer(message, request)) await kill();
    return "pass";
  };

const FAILURES: readonly Failure[] = [
  {
    name: "the check fails",
    at: "source",
    meddling: () => checkFails,
    guestAt: "source",
    says: /state saved, \d+ bytes/,
  },
  {
    name: "the check fails",
    at: "destination",
    meddling: () => checkFails,
    guestAt: "source",
    says: /state loaded, \d+ bytes/,
  },
  {
    name: "the back-end cannot take a state",
    at: "destination",
    serves: ["--without", "VHOST_USER_PROTOCOL_F_DEVICE_STATE"],
    guestAt: "source",
  },
  {
    name: "the back-end is another device",
    at: "destination",
    serves: ["--queues", "2"],
    guestAt: "source",
    says: /the state could not be transferred: 2 virtqueues, here are 4/,
  },
  {
    name: "the socket closes in the middle of a message",
    at: "source",
    meddling: () => cutInAnswerTo(CHECK),
    guestAt: "source",
    meanwhile: "reconnected",
  },
  {
    name: "the socket closes in the middle of a message",
    at: "destination",
    meddling: () => cutInAnswerTo(CHECK),
    guestAt: "source",
  },
  {
    name: "the back-end is killed before the transfer",
    at: "source",
    meddling: killBefore(TRANSFER),
    guestAt: "source",
    meanwhile: "replaced",
  },
  {
    name: "the back-end is killed during the transfer",
    at: "source",
    meddling: killAfter(TRANSFER),
    guestAt: "source",
    meanwhile: "replaced",
  },
  {
    name: "the back-end is killed before the transfer",
    at: "destination",
    meddling: killBefore(TRANSFER),
    guestAt: "source",
  },
  {
    name: "the back-end is killed during the transfer",
    at: "destination",
    meddling: killAfter(TRANSFER),
    guestAt: "source",
  },
  {
    name: "the back-end is killed after the transfer",
    at: "source",
    meddling: killAfter(CHECK),
    guestAt: "destination",
  },
  {
    name: "the back-end is killed after the transfer",
    at: "destination",
    meddling: killAfter(CHECK),
    guestAt: "destination",
    meanwhile: "replaced",
  },
];

describeLive("a migration that goes wrong", (program, image) => {
  const stage = new Stage(program, image);
  let here: Side;

  const side = async (name: string, incoming?: "running", options: readonly string[] = []): Promise<Side> => {
    const backEnd = await stage.backEnd(`${name}.net`, "--device", "net", ...options);
    const meddler = await stage.meddler(`${name}.meddled`, `${name}.net`, pass);
    const socket = stage.path(`${name}.meddled`);
    const devices = nic({ id: "net", socket, properties: "mac=52:54:00:00:00:01", reconnects: true });
    const guest = await stage.guest({ name, memory: 128, cpus: 1, devices, ...(incoming && { incoming }) });
    return { name, guest, backEnd, meddler };
  };

  beforeAll(async () => {
    here = await side("first");
    await here.guest.run("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up");
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  it.each(FAILURES.map((failure, number) => ({ ...failure, number })))(
    "because $name at the $at leaves the guest at the $guestAt",
    async ({ at, meddling, serves, guestAt, meanwhile, says, number }) => {
      const there = await side(`side${number}`, "running", serves);
      const victim = at === "source" ? here : there;
      await here.guest.run("pinging start 10.0.0.1 0.02");
      victim.meddler.meddling = (meddling ?? (() => pass))(() => victim.backEnd.kill());
      const { info } = await migrate(here.guest, there.guest, stage.folder);
      victim.meddler.meddling = pass;
      if (guestAt === "source") {
        expect(info.status).toBe("failed");
        expect(await there.guest.qemu.exit()).not.toBe(0);
        await here.guest.qemu.until(async () => (await here.guest.qemu.status()) === "running");
      } else {
        expect([info.status, info["error-desc"]]).toEqual(["completed", undefined]);
        here = there;
      }
      if (says !== undefined) expect(victim.backEnd.said).toMatch(says);
      if (meanwhile === "replaced") here.backEnd = await stage.backEnd(`${here.name}.net`, "--device", "net");
      // What was sent while the link was down is lost; the guest goes on as soon as it is up.
      if (meanwhile !== undefined) await here.guest.run("until ping -c 1 -W 1 10.0.0.1; do :; done");
      await here.guest.run("sleep 0.5");
      const { sent, lost, doubled } = pingsOf(await here.guest.run("pinging stop"));
      expect(sent).toBeGreaterThan(10);
      expect(doubled).toEqual([]);
      if (meanwhile === undefined) expect(lost).toEqual([]);
      else expect(lost).not.toContain(sent - 2);
    },
  );
});
