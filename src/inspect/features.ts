/**
 * The names of feature bits. Which name a bit has depends on the device type, which device contexts and device parts do
 * not carry: the schema cannot say it, the inspector knows it from outside.
 */
import {
  virtio9pFeatureNames,
  virtioBalloonFeatureNames,
  virtioBlkFeatureNames,
  virtioBtFeatureNames,
  virtioCanFeatureNames,
  virtioConsoleFeatureNames,
  virtioCryptoFeatureNames,
  virtioFeatureNames,
  virtioFsFeatureNames,
  virtioGpioFeatureNames,
  virtioGpuFeatureNames,
  virtioI2cFeatureNames,
  virtioIommuFeatureNames,
  virtioMemFeatureNames,
  virtioNetFeatureHiNames,
  virtioNetFeatureNames,
  virtioPmemFeatureNames,
  virtioRpmsgFeatureNames,
  virtioRtcFeatureNames,
  virtioScmiFeatureNames,
  virtioScsiFeatureNames,
  virtioSndFeatureNames,
  virtioVsockFeatureNames,
} from "../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import type { Site } from "../runtime/index.js";

type Names = (value: number | bigint) => string[];

/** Features 0 to 63. Device types without bits of their own have those that all have. */
const LOW = new Map<VirtioDeviceId, Names>([
  [VirtioDeviceId.VIRTIO_ID_NET, virtioNetFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_BLOCK, virtioBlkFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_CONSOLE, virtioConsoleFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_BALLOON, virtioBalloonFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_SCSI, virtioScsiFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_9P, virtio9pFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_GPU, virtioGpuFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_CRYPTO, virtioCryptoFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_VSOCK, virtioVsockFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_FS, virtioFsFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_IOMMU, virtioIommuFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_SOUND, virtioSndFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_MEM, virtioMemFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_I2C_ADAPTER, virtioI2cFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_SCMI, virtioScmiFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_GPIO, virtioGpioFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_PMEM, virtioPmemFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_CAN, virtioCanFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_CLOCK, virtioRtcFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_BT, virtioBtFeatureNames],
  [VirtioDeviceId.VIRTIO_ID_RPMSG, virtioRpmsgFeatureNames],
]);

/** Features 64 to 127. */
const HIGH = new Map<VirtioDeviceId, Names>([[VirtioDeviceId.VIRTIO_ID_NET, virtioNetFeatureHiNames]]);

/** The types that have feature bits of their own. */
export function typesWithFeatures(): readonly VirtioDeviceId[] {
  return [...LOW.keys()];
}

/** The names of those bits of a mask of 128 that have one. */
export function featureNames(device: VirtioDeviceId, mask: bigint): string[] {
  const low = (LOW.get(device) ?? virtioFeatureNames)(BigInt.asUintN(64, mask));
  const high = HIGH.get(device)?.(mask >> 64n) ?? [];
  return [...low, ...high].filter((name) => !name.startsWith("0x"));
}

/** Fields that hold features: the first of them, and how many lie in one word. */
const WORDS: ReadonlyMap<string, { readonly first: number; readonly bits: number }> = new Map([
  ["feature_bits", { first: 0, bits: 64 }],
  ["guest_features_lo", { first: 0, bits: 32 }],
  ["guest_features", { first: 0, bits: 32 }],
  ["guest_features_hi", { first: 64, bits: 32 }],
]);
const HALF = 64;

/** What fields that hold features mean for a device type. */
export function featureMeaning(
  device: VirtioDeviceId,
): (site: Site, index: number, value: number | bigint) => string | undefined {
  return (site, index, value) => {
    const word = WORDS.get(site.name);
    if (word === undefined) return undefined;
    const first = word.first + Math.max(0, index) * word.bits;
    const names = first < HALF ? (LOW.get(device) ?? virtioFeatureNames) : HIGH.get(device);
    const mask = BigInt(value) << BigInt(first % HALF);
    return names === undefined || first >= 2 * HALF || mask === 0n ? undefined : names(mask).join(" | ");
  };
}
