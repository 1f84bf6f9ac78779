/**
 * A Linux guest of more than 4 GiB, in several memory regions, on our devices in every form that its drivers know: event
 * index on and off, split and packed virtqueues, two of them in each direction.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeLive } from "../describe-with.js";
import { disk, nic } from "./devices.js";
import type { LinuxGuest } from "./linux-guest.js";
import { FIRST, pattern } from "./pattern.js";
import { Stage } from "./stage.js";

const VIRTIO_F_EVENT_IDX = 29;
const VIRTIO_F_RING_PACKED = 34;

/** In the order in which they are plugged in, so the guest's names count them: eth0 and vda are the first. */
const FORMS = [
  { name: "split virtqueues with event indices", packed: "off", eventIdx: "on" },
  { name: "split virtqueues without event indices", packed: "off", eventIdx: "off" },
  { name: "packed virtqueues with event indices", packed: "on", eventIdx: "on" },
  { name: "packed virtqueues without event indices", packed: "on", eventIdx: "off" },
] as const;

describeLive("a Linux guest on our devices", (program, image) => {
  const stage = new Stage(program, image);
  let guest: LinuxGuest;

  beforeAll(async () => {
    await stage.backEnd(
      FORMS.map((_, i) => `net${i}`),
      ...["--device", "net", "--queues", "2"],
    );
    const devices: string[] = [];
    for (const [i, { packed, eventIdx }] of FORMS.entries()) {
      const properties = `packed=${packed},event_idx=${eventIdx}`;
      devices.push(...nic({ id: `net${i}`, socket: stage.path(`net${i}`), pairs: 2, properties }));
      const file = stage.blankDisk(`disk${i}.img`, 8);
      await stage.backEnd(`blk${i}`, "--device", "blk", "--queues", "2", "--file", file);
      devices.push(...disk({ id: `blk${i}`, socket: stage.path(`blk${i}`), queues: 2, properties }));
    }
    guest = await stage.guest({ name: "vm", memory: 5120, cpus: 2, devices });
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const expectForm = async (device: string, { packed, eventIdx }: (typeof FORMS)[number]): Promise<void> => {
    const features = (await guest.run(`features ${device}`)).split("\n").map(Number);
    expect([features.includes(VIRTIO_F_RING_PACKED), features.includes(VIRTIO_F_EVENT_IDX)]).toEqual([
      packed === "on",
      eventIdx === "on",
    ]);
  };

  describe.each(FORMS)("with $name", (form) => {
    const number = FORMS.indexOf(form);
    const eth = `eth${number}`;
    const vd = `vd${"abcd"[number]}`;
    const up = `ip addr add 10.0.0.2/24 dev ${eth} && ip link set ${eth} up`;

    it("pings through both queue pairs, also after its driver was taken off", async () => {
      await guest.run(up);
      await expectForm(`net ${eth}`, form);
      for (const cpu of ["1", "2"]) {
        expect(await guest.run(`taskset ${cpu} ping -c 10 -i 0.02 10.0.0.1`)).toContain(
          "10 packets received",
        );
        // As much as the link takes.
        expect(await guest.run(`taskset ${cpu} ping -c 3 -i 0.1 -s 1472 10.0.0.1`)).toContain(
          "3 packets received",
        );
      }
      await guest.run(`rebind net ${eth} && ${up}`);
      expect(await guest.run("ping -c 10 -i 0.02 10.0.0.1")).toContain("10 packets received");
      await guest.run(`ip link set ${eth} down`);
    });

    it("writes, reads and compares a disk, also after its driver was taken off", async () => {
      await expectForm(`block ${vd}`, form);
      await guest.run(`pattern write ${vd} ${FIRST} 1`);
      await guest.run(`pattern verify ${vd} ${FIRST} 1`);
      await guest.run(`rebind block ${vd}`);
      await guest.run(`pattern verify ${vd} ${FIRST} 1`);
      const expected = pattern(FIRST, 1);
      const file = readFileSync(stage.path(`disk${number}.img`));
      expect(file.subarray(0, expected.length).equals(expected)).toBe(true);
    });
  });

  it("has nothing to complain of", () => {
    expect(guest.kernelLog).toBe("");
  });
});
