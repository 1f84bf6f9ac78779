/** Messages about VFIO devices. */
import { VfioMigFlag } from "../../../../generated/qemu/vfio.js";
import { hex } from "../../report.js";
import type { Message, Source } from "../message.js";
import { type Scene, subjectPlaces } from "../scene.js";
import type { Values } from "../values.js";

const vfio = (name: string): Source => ({ project: "QEMU", file: "hw/vfio/migration.c", function: name });

export const vfioMessages: readonly Message[] = [
  {
    id: "vfio-unsupported",
    format: "%s: VFIO migration is not supported in kernel",
    values: ["device"],
    source: vfio("vfio_migration_realize"),
    meaning: "The driver of the device at the host has no migration: the whole machine cannot be migrated.",
    remedy:
      "Bind the device to the variant driver of its vendor (mlx5-vfio-pci, hisi-acc-vfio-pci, virtio-vfio-pci, …) instead of vfio-pci, or unplug it before the migration.",
  },
  {
    id: "vfio-disabled",
    format: "%s: Migration is disabled for VFIO device",
    values: ["device"],
    source: vfio("vfio_migration_realize"),
    meaning: "The device has enable-migration=off.",
    remedy:
      "Set enable-migration=auto or on when the driver supports migration, or unplug it before the migration.",
  },
  {
    id: "vfio-dirty-tracking",
    format: "%s: VFIO device doesn't support device and IOMMU dirty tracking",
    values: ["device"],
    source: vfio("vfio_migration_realize"),
    meaning: "Neither the device nor the IOMMU can tell which pages the device has written.",
    remedy:
      "With enable-migration=on the machine migrates all the same, and all memory of the device is sent again while the guest stands still. Otherwise unplug the device before the migration.",
  },
  {
    id: "vfio-viommu",
    format: "%s: Migration is currently not supported with vIOMMU enabled",
    values: ["device"],
    source: vfio("vfio_migration_realize"),
    meaning: "A VFIO device behind a virtual IOMMU cannot be migrated.",
    remedy: "Start the machine without a virtual IOMMU, or unplug the device before the migration.",
  },
  {
    id: "vfio-postcopy",
    format: "%s: VFIO migration is not supported with postcopy migration",
    values: ["device"],
    source: vfio("vfio_save_prepare"),
    meaning: "A device of the host cannot wait for pages that are still at the source.",
    remedy: "Turn postcopy-ram off, or unplug the device before the migration.",
  },
  {
    id: "vfio-multiple",
    format: "Multiple VFIO devices migration is supported only if all of them support P2P migration",
    values: [],
    source: { project: "QEMU", file: "hw/vfio/common.c", function: "vfio_block_multiple_devices_migration" },
    meaning: "Several VFIO devices could write into one another's memory while they are stopped one by one.",
    remedy: "Use drivers with P2P states for all of them, or keep one only.",
  },
  {
    id: "vfio-config",
    format: "%s: Failed to load device config space",
    values: ["device"],
    source: vfio("vfio_load_device_config_state"),
    meaning: "The configuration space of the device was refused.",
    remedy:
      "The devices differ (model, firmware, SR-IOV configuration), or the destination has it in another slot. Look at the line before.",
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "vfio-config-end",
    format: "%s: Failed loading device config space, end flag incorrect 0x%llx",
    values: ["device", "flag"],
    source: vfio("vfio_load_device_config_state"),
    meaning: "The configuration space of the device has another length than the destination expects.",
    remedy: "The devices or the QEMU versions differ: the same of both on both sides.",
    causes: flagCauses("flag"),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "vfio-setup-end",
    format: "%s: SETUP STATE: EOS not found 0x%llx",
    values: ["device", "flag"],
    source: vfio("vfio_load_state"),
    meaning: "Something follows the setup of a VFIO device that the destination does not expect.",
    remedy: "The source is newer, or the destination is out of step.",
    causes: flagCauses("flag"),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "vfio-tag",
    format: "%s: Unknown tag 0x%llx",
    values: ["device", "flag"],
    source: vfio("vfio_load_state"),
    meaning: "A record of a VFIO device has a mark that the destination does not know.",
    remedy: "The source is newer, or the destination is out of step.",
    causes: flagCauses("flag"),
    places: (_, scene) => subjectPlaces(scene),
  },
  {
    id: "vfio-channel",
    format: "%s: got DEV_CONFIG_STATE in main migration channel but doing multifd transfer",
    values: ["device"],
    source: vfio("vfio_load_state"),
    meaning: "The destination expects the device's state on multifd channels, and it comes on the main one.",
    remedy: "Set x-migration-multifd-transfer of the VFIO device the same on both sides.",
    places: (_, scene) => subjectPlaces(scene),
  },
];

function flagCauses(name: string): (values: Values, scene: Scene) => string[] {
  return (values) => {
    const flag = values.big(name);
    const known = Object.entries(VfioMigFlag).find(([, value]) => BigInt(value) === flag)?.[0];
    return [
      known === undefined
        ? `${hex(flag)} is no mark of VFIO: they are 0xffffffffef10000…`
        : `${hex(flag)} is ${known}`,
    ];
  };
}
