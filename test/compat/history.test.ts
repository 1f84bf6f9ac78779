/**
 * Growth that happened: two structures as the versions of the virtio specification list them (tags v1.0-cs04, v1.1-cs01
 * and v1.2-cs01 of the specification's repository, and 1.4).
 */
import { describe, expect, it } from "vitest";
import { compared, refutations, summary } from "./verdicts.js";

const COMMON = `le32 device_feature_select; le32 device_feature; le32 driver_feature_select; le32 driver_feature;
  le16 config_msix_vector; le16 num_queues; u8 device_status; u8 config_generation;
  le16 queue_select; le16 queue_size; le16 queue_msix_vector; le16 queue_enable; le16 queue_notify_off; le64 queue_desc;`;

/** 56 bytes up to 1.1, 60 in 1.2, 64 in 1.4. */
const COMMON_CFG = {
  "1.0": `${COMMON} le64 queue_avail; le64 queue_used;`,
  "1.1": `${COMMON} le64 queue_driver; le64 queue_device;`,
  "1.2": `${COMMON} le64 queue_driver; le64 queue_device; le16 queue_notify_data; le16 queue_reset;`,
  "1.4": `${COMMON} le64 queue_driver; le64 queue_device; le16 queue_notif_config_data; le16 queue_reset;
    le16 admin_queue_index; le16 admin_queue_num;`,
};

/** The same, read as what it is: the tail is there when the device has it. */
const OPTIONAL = {
  "1.1": COMMON_CFG["1.1"],
  "1.2": `${COMMON_CFG["1.1"]} optional { le16 queue_notify_data; le16 queue_reset; }`,
  "1.4": `${COMMON_CFG["1.1"]} optional { le16 queue_notif_config_data; le16 queue_reset; }
    optional { le16 admin_queue_index; le16 admin_queue_num; }`,
};

const NET_CONFIG = {
  "1.0": "u8 mac[6]; le16 status; le16 max_virtqueue_pairs;",
  "1.1": "u8 mac[6]; le16 status; le16 max_virtqueue_pairs; le16 mtu;",
};

function schema(name: string, members: string): string {
  return `module history.${name} little;\nstruct ${name} {\n${members}\n}\n`;
}

async function history(name: string, older: string, newer: string, profile = "wire"): Promise<string[]> {
  const [old, now] = [schema(name, older), schema(name, newer)];
  const comparison = compared(old, now, profile);
  expect(await refutations(comparison, old, now)).toEqual([]);
  return comparison.findings.map(summary);
}

describe("virtio_pci_common_cfg", () => {
  it("only changes names from 1.0 to 1.1", async () => {
    expect(await history("virtio_pci_common_cfg", COMMON_CFG["1.0"], COMMON_CFG["1.1"])).toEqual([
      "field-renamed `queue_avail` → `queue_driver` compatible compatible",
      "field-renamed `queue_used` → `queue_device` compatible compatible",
    ]);
  });

  it("grows from 56 to 60 bytes, which exact readers do not survive", async () => {
    expect(await history("virtio_pci_common_cfg", COMMON_CFG["1.1"], COMMON_CFG["1.2"])).toEqual([
      "field-appended `queue_notify_data` breaks breaks",
      "field-appended `queue_reset` breaks breaks",
    ]);
  });

  it("grows from 60 to 64 bytes and renames a field", async () => {
    expect(await history("virtio_pci_common_cfg", COMMON_CFG["1.2"], COMMON_CFG["1.4"])).toEqual([
      "field-renamed `queue_notify_data` → `queue_notif_config_data` compatible compatible",
      "field-appended `admin_queue_index` breaks breaks",
      "field-appended `admin_queue_num` breaks breaks",
    ]);
  });

  it("keeps to the extension rules of device contexts", async () => {
    expect(
      await history("virtio_pci_common_cfg", COMMON_CFG["1.1"], COMMON_CFG["1.4"], "device-context"),
    ).toEqual([
      "field-appended `queue_notif_config_data` compatible compatible",
      "field-appended `queue_reset` compatible compatible",
      "field-appended `admin_queue_index` compatible compatible",
      "field-appended `admin_queue_num` compatible compatible",
    ]);
  });

  it("grows compatibly with optional tails", async () => {
    expect(await history("virtio_pci_common_cfg", OPTIONAL["1.1"], OPTIONAL["1.2"])).toEqual([
      "optional-added `queue_notify_data` compatible compatible",
      "optional-added `queue_reset` compatible compatible",
    ]);
    expect(await history("virtio_pci_common_cfg", OPTIONAL["1.2"], OPTIONAL["1.4"])).toEqual([
      "field-renamed `queue_notify_data` → `queue_notif_config_data` compatible compatible",
      "optional-added `admin_queue_index` compatible compatible",
      "optional-added `admin_queue_num` compatible compatible",
    ]);
  });
});

describe("virtio_net_config", () => {
  it("grows by the MTU from 1.0 to 1.1", async () => {
    expect(await history("virtio_net_config", NET_CONFIG["1.0"], NET_CONFIG["1.1"])).toEqual([
      "field-appended `mtu` breaks breaks",
    ]);
  });
});
