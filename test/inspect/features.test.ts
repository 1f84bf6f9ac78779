import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import {
  type CaptureRecord,
  compareFeatures,
  deviceByName,
  featureLines,
  openInspection,
  parseMask,
} from "../../src/inspect/index.js";

const unknown = { device: VirtioDeviceId.VIRTIO_ID_INVALID };
const net = { device: VirtioDeviceId.VIRTIO_ID_NET };

function onlyInFirst(
  first: bigint,
  second: bigint,
  space: Parameters<typeof compareFeatures>[2] = unknown,
): string[] {
  return compareFeatures(first, second, space)
    .features.filter(({ inSecond }) => !inSecond)
    .flatMap(({ bit, names }) => names.map(({ name }) => `${bit} ${name}`));
}

describe("what a destination refused", () => {
  // Numbers of bits: linux/virtio_net.h, linux/virtio_config.h, linux/virtio_vsock.h.
  it("kubevirt 16386: USO, offered by one QEMU and not by the other", () => {
    expect(onlyInFirst(0x1c0010130afffafn, 0x10179bfffefn)).toEqual([
      "54 VIRTIO_NET_F_GUEST_USO4",
      "55 VIRTIO_NET_F_GUEST_USO6",
      "56 VIRTIO_NET_F_HOST_USO",
    ]);
  });

  it("qemu-devel 2025-11-07: a reset of single rings", () => {
    expect(onlyInFirst(0x10130afffa7n, 0x179bfffe7n)).toEqual(["40 VIRTIO_F_RING_RESET"]);
  });

  it("vhost-vsock 2021: sequential packets", () => {
    expect(onlyInFirst(0x130000002n, 0x179000000n, { device: VirtioDeviceId.VIRTIO_ID_VSOCK })).toEqual([
      "1 VIRTIO_VSOCK_F_SEQPACKET",
    ]);
  });

  it("is listed for each device type that has the bit when none is given and several could be meant", () => {
    const { space, guessed } = compareFeatures(0x130000002n, 0x179000000n, unknown);
    expect([space, guessed]).toEqual([unknown, false]);
    const names = onlyInFirst(0x130000002n, 0x179000000n);
    expect(names).toContain("1 VIRTIO_VSOCK_F_SEQPACKET");
    expect(names).toContain("1 VIRTIO_NET_F_GUEST_CSUM");
    expect(compareFeatures(0x1c0010130afffafn, undefined, unknown)).toMatchObject({
      space: net,
      guessed: true,
    });
  });
});

describe("a mask", () => {
  it.each<[string, bigint | undefined]>([
    ["0x1c0010130afffaf", 0x1c0010130afffafn],
    ["0X10", 16n],
    ["6257933894", 0x175007e46n],
    ["1c0010130afffaf", 0x1c0010130afffafn],
    ["0x1:0x30000000", (1n << 64n) | 0x30000000n],
    ["0x130000002ULL", 0x130000002n],
    [`0${"1".repeat(1)}${"0".repeat(62)}`, 2n],
    [`${"0".repeat(127)}1`, 1n << 127n],
    ["", undefined],
    ["0x", undefined],
    ["net", undefined],
    ["-1", undefined],
    ["0x1:0x2:0x3", undefined],
    [`0x1${"0".repeat(32)}`, undefined],
    ["0x10000000000000000:0x0", undefined],
  ])("%s", (text, mask) => {
    expect(parseMask(text)).toBe(mask);
  });

  it("loses no bit, whatever it is of", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        fc.constantFrom("net", "blk", "9p", "fs", "0", "47").map((name) => deviceByName(name) ?? 0),
        (first, second, device) => {
          const { features } = compareFeatures(first, second, { device });
          const sum = (which: "inFirst" | "inSecond"): bigint =>
            features.reduce(
              (mask, feature) => (feature[which] ? mask | (1n << BigInt(feature.bit)) : mask),
              0n,
            );
          expect([sum("inFirst"), sum("inSecond")]).toEqual([first, second]);
        },
      ),
    );
  });

  it("has bits that no document names, of a range that the specification allocates", () => {
    const ranges = [18, 23, 25, 42, 44, 49, 58, 127].map((bit) => {
      const [feature] = compareFeatures(1n << BigInt(bit), undefined, net).features;
      return [bit, feature?.names.length, feature?.range];
    });
    const device = "for the device type, unknown";
    expect(compareFeatures(1n << 18n, undefined, net).features[0]?.names[0]?.name).toBe(
      "VIRTIO_NET_F_CTRL_RX",
    );
    expect(ranges.slice(2)).toEqual([
      [25, 0, "reserved for queues and negotiation, unknown"],
      [42, 0, device],
      [44, 0, "reserved for future extensions"],
      [49, 0, "reserved for future extensions"],
      [58, 0, device],
      [127, 0, device],
    ]);
  });

  it("has a section of the specification for every bit of a device that it describes", () => {
    for (const name of [
      "net",
      "blk",
      "console",
      "balloon",
      "scsi",
      "gpu",
      "crypto",
      "vsock",
      "fs",
      "iommu",
      "mem",
    ]) {
      const { features } = compareFeatures((1n << 128n) - 1n, undefined, { device: deviceByName(name) ?? 0 });
      const named = features.flatMap(({ names }) => names);
      expect(named.length).toBeGreaterThan(15);
      for (const { name: feature, source } of named)
        expect(source, feature).toMatch(/^(?:virtio 1\.4, \d|linux\/|QEMU)/);
    }
  });
});

it("lists no line wider than a terminal", () => {
  for (const space of [unknown, net, "vhost-user protocol"] as const) {
    const lines = featureLines(compareFeatures((1n << 128n) - 1n, 0xffff_ffffn, space));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  }
});

it("names the features of a conversation for the device that the user says it is", () => {
  const records: CaptureRecord[] = [];
  const sink = { record: (record: CaptureRecord) => records.push(record) };
  const inspection = openInspection("vhost-user", sink, { withFields: true, device: deviceByName("blk") });
  inspection.push(new Uint8Array(readFileSync(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url))));
  const { facts } = inspection.end();
  const meanings = records.flatMap(({ fields = [] }) =>
    fields.flatMap(({ children = [] }) =>
      children.filter(({ name }) => name === "features").map(({ meaning }) => meaning),
    ),
  );
  expect(meanings.length).toBeGreaterThan(1);
  expect(meanings[0]).toContain("VIRTIO_BLK_F_MQ");
  expect(facts.find(({ key }) => key === "features")?.value).toContain("VIRTIO_BLK_F_FLUSH");
});
