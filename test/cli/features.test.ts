import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { virtwire } from "./harness.js";

it("says which features one side has and the other has not, with their sections, and gives 1", async () => {
  const { code, out, err } = await virtwire(["features", "0x10130afffa7", "0x179bfffe7"]);
  expect([code, err]).toEqual([1, ""]);
  expect(out).toContain(`device    net: no other has all these bits (--device says which it is)

only in the first (0x10000000000):
   40  VIRTIO_F_RING_RESET  virtio 1.4, 6  Virtqueues can be reset one by one.

only in the second (0x49100040):
    6  VIRTIO_NET_F_GSO                virtio 1.4, 5.1.3.2  `);
});

it("gives 0 for one mask, and for two that are the same", async () => {
  const one = await virtwire(["features", "0x2", "--device", "virtio-vsock-pci"]);
  expect(one).toEqual({
    code: 0,
    out: "features  0x2\ndevice    vsock\n\n  1  VIRTIO_VSOCK_F_SEQPACKET  virtio 1.4, 5.10.3  Sequential packet sockets.\n",
    err: "",
  });
  expect((await virtwire(["features", "0x2", "2"])).code).toBe(0);
});

it("names vhost-user's protocol features", async () => {
  const { out } = await virtwire(["features", "--protocol", "0x8000000000080009"]);
  expect(out).toMatch(/ 0 {2}VHOST_USER_PROTOCOL_F_MQ /);
  expect(out).toMatch(/19 {2}VHOST_USER_PROTOCOL_F_DEVICE_STATE /);
  expect(out).toMatch(/63 {2}bit 63 +not in vhost-user.rst/);
});

it("writes JSON", async () => {
  const { out } = await virtwire(["features", "0x2", "0x1", "--device", "vsock", "--format", "json"]);
  expect(JSON.parse(out)).toMatchObject({
    first: "0x2",
    second: "0x1",
    device: "VIRTIO_ID_VSOCK",
    features: [
      { bit: 0, first: false, second: true, names: [{ name: "VIRTIO_VSOCK_F_STREAM" }] },
      {
        bit: 1,
        first: true,
        second: false,
        names: [{ source: "virtio 1.4, 5.10.3 Feature bits (device-types/vsock/description.tex)" }],
      },
    ],
  });
});

it("refuses what is no mask, and no device", async () => {
  expect(await virtwire(["features", "0xg"])).toMatchObject({ code: 2, out: "" });
  expect((await virtwire(["features", "0x1", "--device", "toaster"])).code).toBe(2);
  expect((await virtwire(["features", "0x1", "--device", "net", "--protocol"])).code).toBe(2);
});

it("says that there is none", async () => {
  expect((await virtwire(["features", "0"])).out).toMatch(/\n\nno feature\n$/);
});

it("gives 4, and the reason alone, for a file that is no capture", async () => {
  const { code, out, err } = await virtwire(["features", "README.md", "sections[*]"]);
  expect([code, out, err]).toEqual([4, "", "README.md: no kind of capture that is known (see --as)\n"]);
});

it("takes the features that a driver has accepted out of a migration stream", async () => {
  const capture = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));
  // The description of the stream, by QEMU's own script: guest_features of virtio-blk are 0x44, the high half is 1.
  const one = await virtwire(["features", capture, "sections[*virtio-blk]"]);
  expect([one.code, one.err]).toEqual([0, ""]);
  expect(one.out).toMatch(/^features {2}0x100000044\ndevice {4}block\n/);
  const two = await virtwire(["features", capture, "sections[*virtio-blk]", "0x44"]);
  expect(two.code).toBe(1);
  expect(two.out).toContain("only in the first (0x100000000):");
  for (const [argv, message] of [
    [[capture], "which device of"],
    [[capture, "sections[*virtio*]"], "names 2 devices"],
    [[capture, "sections[timer]"], "no features of a virtio device"],
    [[capture, "sections[nothing]"], "no value matches"],
    [[capture, "sections[*virtio-blk]", "--device", "net"], "says itself"],
    [["1", "2", "3"], "three masks"],
  ] as const) {
    const { code, err } = await virtwire(["features", ...argv]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  }
});
