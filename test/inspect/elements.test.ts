import { describe, expect, it } from "vitest";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { bytes, deviceContext, deviceParts, le, tlv, vfioRecordBytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;

describe("inspecting device contexts, parts and records", () => {
  it("names each field of a context and shows what is in it, at its place", () => {
    const { bytes: input, fieldOffsets } = deviceContext();
    const { records, summary } = inspectBytes(input, { withFields: true, device: NET });
    expect(summary.verdict).toMatch(/^clean/);
    expect(records.map(({ record, name, at }) => [record, name, at])).toEqual([
      ["count", "field_count", 0],
      ["tlv", "VIRTIO_DEV_CTX_DEV_FEATURES", fieldOffsets[0]],
      ["tlv", "VIRTIO_DEV_CTX_PCI_VQ_CFG", fieldOffsets[1]],
      ["tlv", "VIRTIO_DEV_CTX_VQ_SPLIT_RUNTIME_CFG", fieldOffsets[2]],
      ["tlv", "VIRTIO_DEV_CTX_VQ_SPLIT_DEV_OWN_DESC", fieldOffsets[3]],
      ["tlv", "VIRTIO_DEV_CTX_UNLISTED", fieldOffsets[4]],
    ]);
    const queue = records[2]?.fields?.find(({ name }) => name === "pci_vq_cfg");
    expect(queue?.children?.[1]).toMatchObject({
      name: "queue_size",
      value: 256,
      unit: "descriptors",
      at: 28 + 16 + 2,
      size: 2,
    });
  });

  it("names feature bits by the device type, word by word", () => {
    // linux/virtio_net.h: MQ is bit 22, HOST_UDP_TUNNEL_GSO bit 67; linux/virtio_blk.h: MQ is bit 12.
    const words = tlv(0x0001, [...le(8, 1 << 22), ...le(8, 1 << 3)]);
    const meanings = (device?: VirtioDeviceId) => {
      const options = {
        kind: "device-context",
        withFields: true,
        ...(device === undefined ? {} : { device }),
      } as const;
      const { records } = inspectBytes(bytes(le(4, 1), words), options);
      const features = records[1]?.fields?.find(({ name }) => name === "dev_features");
      return features?.children?.[0]?.children?.map(({ meaning }) => meaning);
    };
    expect(meanings(NET)).toEqual(["VIRTIO_NET_F_MQ", "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO"]);
    expect(meanings(VirtioDeviceId.VIRTIO_ID_BLOCK)).toEqual(["0x400000", undefined]);
  });

  it("shows a damaged field among sound ones", () => {
    const input = bytes(le(4, 2), tlv(0x0003, [0, 0, 7]), tlv(0x0001, le(8, 5)));
    const { records, summary } = inspectBytes(input, { kind: "device-context", withFields: true });
    expect(summary.faultCount).toBeGreaterThan(0);
    expect(records.slice(1).map(({ faults }) => faults.length > 0)).toEqual([true, false]);
    expect(summary.verdict).toMatch(/^damaged: 1 fault at 0x16: fields\[0\]/);
  });

  it("names parts, and the records that hold them", () => {
    const parts = deviceParts();
    const stream = bytes(
      vfioRecordBytes(0, 0, parts.flat()),
      vfioRecordBytes(1, 9, [1]),
      vfioRecordBytes(0, 0, []),
    );
    const { records, summary } = inspectBytes(stream);
    expect(summary.verdict).toMatch(/^clean/);
    expect(records.map(({ name }) => name)).toEqual([
      "VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA",
      "VIRTIO_DEV_PART_DEV_FEATURES",
      "VIRTIO_DEV_PART_DRV_FEATURES",
      "VIRTIO_DEV_PART_PCI_COMMON_CFG",
      "VIRTIO_DEV_PART_DEVICE_STATUS",
      "VIRTIO_DEV_PART_VQ_CFG",
      "VIRTIO_DEV_PART_VQ_NOTIFY_CFG",
      "tag 0x9",
      "VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA",
    ]);
    expect(inspectBytes(bytes(...parts)).records).toHaveLength(6);
    // Which one of many a part is about, in the order of the bytes.
    const rows = summary.tables[0]?.rows.map((row) => row.at(-1)?.value);
    expect(rows?.slice(0, 7)).toEqual([...["", "", "", "num_queues 3", "", "virtqueue 1", "virtqueue 1"]]);
  });

  it("gives every prefix of parts that is cut inside one a fault", () => {
    const input = bytes(...deviceParts());
    expect(inspectBytes(input.subarray(0, 47), { kind: "device-parts" }).summary.faults).toMatchObject([
      { code: "truncated", path: expect.stringMatching(/^parts\[1\]/) },
    ]);
  });
});
