/**
 * The names of feature bits. Which name a bit has depends on the device type, which device contexts, device parts and
 * vhost-user conversations do not carry: the schema cannot say it, the inspector knows it from outside.
 */
import {
  virtio9pFeatureBits,
  virtioBalloonFeatureBits,
  virtioBlkFeatureBits,
  virtioBtFeatureBits,
  virtioCanFeatureBits,
  virtioConsoleFeatureBits,
  virtioCryptoFeatureBits,
  virtioFeatureBits,
  virtioFsFeatureBits,
  virtioGpioFeatureBits,
  virtioGpuFeatureBits,
  virtioI2cFeatureBits,
  virtioIommuFeatureBits,
  virtioMemFeatureBits,
  virtioNetFeatureBits,
  virtioNetFeatureHiBits,
  virtioPmemFeatureBits,
  virtioRpmsgFeatureBits,
  virtioRtcFeatureBits,
  virtioScmiFeatureBits,
  virtioScsiFeatureBits,
  virtioSndFeatureBits,
  virtioVsockFeatureBits,
} from "../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { type FlagBit, flagNames } from "../runtime/index.js";
import type { FlagTables } from "./flags.js";
import type { MeaningOf } from "./node.js";

/** Features 0 to 63 that device types have besides those of all. */
const LOW: ReadonlyMap<number, readonly FlagBit[]> = new Map<number, readonly FlagBit[]>([
  [VirtioDeviceId.VIRTIO_ID_NET, virtioNetFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_BLOCK, virtioBlkFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_CONSOLE, virtioConsoleFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_BALLOON, virtioBalloonFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_SCSI, virtioScsiFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_9P, virtio9pFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_GPU, virtioGpuFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_CRYPTO, virtioCryptoFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_VSOCK, virtioVsockFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_FS, virtioFsFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_IOMMU, virtioIommuFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_SOUND, virtioSndFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_MEM, virtioMemFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_I2C_ADAPTER, virtioI2cFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_SCMI, virtioScmiFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_GPIO, virtioGpioFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_PMEM, virtioPmemFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_CAN, virtioCanFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_CLOCK, virtioRtcFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_BT, virtioBtFeatureBits],
  [VirtioDeviceId.VIRTIO_ID_RPMSG, virtioRpmsgFeatureBits],
]);

/** Features 64 to 127. */
const HIGH: ReadonlyMap<number, readonly FlagBit[]> = new Map<number, readonly FlagBit[]>([
  [VirtioDeviceId.VIRTIO_ID_NET, virtioNetFeatureHiBits],
]);

/** The device types with features of their own. */
export const DEVICES_WITH_FEATURES: readonly VirtioDeviceId[] = [...LOW.keys()];

/** The features of all device types. */
export const COMMON_FEATURES: readonly FlagBit[] = virtioFeatureBits;

/** The features of a device type that others do not have, in one mask of 128 bits. */
export function deviceFeatures(device: VirtioDeviceId): FlagBit[] {
  const high = (HIGH.get(device) ?? []).map((flag) => ({ ...flag, mask: BigInt(flag.mask) << 64n }));
  return [...(LOW.get(device) ?? []), ...high];
}

/**
 * Bits that each type gives its own meaning; so do 41 and 42 by the same section, but 41 has one for all types.
 * @source virtio 1.4, 2.2 Feature Bits
 */
const OWN = ((1n << 24n) - 1n) | (((1n << 78n) - 1n) << 50n);

/** The only type that has a name for each of the mask's bits that a type gives its own meaning, if there is one. */
export function deviceOfMask(mask: bigint): VirtioDeviceId | undefined {
  const own = mask & OWN;
  const fitting = DEVICES_WITH_FEATURES.filter((device) => (own & ~maskOf(deviceFeatures(device))) === 0n);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function maskOf(flags: readonly FlagBit[]): bigint {
  return flags.reduce((mask, flag) => mask | BigInt(flag.mask), 0n);
}

interface Known {
  readonly tables: FlagTables;
  readonly members: Readonly<Record<string, number | bigint>>;
}

const cache = new Map<VirtioDeviceId, Known>();

function knownOf(device: VirtioDeviceId): Known {
  let known = cache.get(device);
  if (known === undefined) {
    const tables = [COMMON_FEATURES, deviceFeatures(device)];
    const members = Object.fromEntries(tables.flat().map(({ name, mask }) => [name, mask]));
    known = { tables: { tables, first: 0 }, members };
    cache.set(device, known);
  }
  return known;
}

/** What names the bits of a mask of up to 128 bits. */
export function featureTables(device: VirtioDeviceId): FlagTables {
  return knownOf(device).tables;
}

/** The names of the features in a mask of up to 128 bits; bits without a name come last, as one number. */
export function featureNames(device: VirtioDeviceId, mask: number | bigint): string[] {
  return flagNames(knownOf(device).members, mask);
}

/** Fields that hold features: the first of them, and how many lie in one word. */
const WORDS: ReadonlyMap<string, { readonly first: number; readonly bits: number }> = new Map([
  ["features", { first: 0, bits: 64 }],
  ["feature_bits", { first: 0, bits: 64 }],
  ["guest_features_lo", { first: 0, bits: 32 }],
  ["guest_features", { first: 0, bits: 32 }],
  ["guest_features_hi", { first: 64, bits: 32 }],
]);
const WORD = 64;
/** Features with a higher number are not described anywhere. */
const BITS = 128;

/** What fields that hold features mean for a device type. */
export function featureMeaning(device: VirtioDeviceId): MeaningOf {
  return (site, index, value) => {
    const word = WORDS.get(site.name);
    if (word === undefined) return undefined;
    const first = word.first + Math.max(0, index) * word.bits;
    const mask = BigInt(value) << BigInt(first);
    if (mask === 0n || first >= BITS || (first >= WORD && !HIGH.has(device))) return undefined;
    return { text: featureNames(device, mask).join(" | "), flags: { ...featureTables(device), first } };
  };
}
