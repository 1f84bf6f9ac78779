/** Masks of features: read as people and kernels write them, named bit by bit, and compared. */
import { vhostUserProtocolFeatureBits } from "../../generated/vhost-user/messages.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import type { FlagBit } from "../runtime/index.js";
import { COMMON_FEATURES, DEVICES_WITH_FEATURES, deviceFeatures, deviceOfMask } from "./features.js";

/** Whose numbers the bits are: those of a device type (`VIRTIO_ID_INVALID`: not known which), or vhost-user's protocol. */
export type FeatureSpace = { readonly device: VirtioDeviceId } | "vhost-user protocol";

export interface Feature {
  readonly bit: number;
  /** Several when the device type is not known and more than one has such a bit. */
  readonly names: readonly FeatureName[];
  /** Of a bit without a name: whose it is, in the spec's allocation. */
  readonly range: string;
  readonly inFirst: boolean;
  readonly inSecond: boolean;
}

export interface FeatureName {
  readonly name: string;
  /** Undefined where all device types have it. */
  readonly device: VirtioDeviceId | undefined;
  readonly doc: string | undefined;
  readonly source: string | undefined;
}

export interface FeatureComparison {
  readonly first: bigint;
  readonly second: bigint | undefined;
  readonly space: FeatureSpace;
  /** The device type was not given, but only this one has all the bits of its own that are set. */
  readonly guessed: boolean;
  /** Lowest first. */
  readonly features: readonly Feature[];
}

const BITS = 128;

/**
 * `0x…`, decimal, words with the highest first (`0x1:0x30000000`), digits of a hexadecimal number with a letter among
 * them, or the 64 or 128 binary digits of sysfs, lowest first. Undefined when it is none of these, or above 128 bits.
 */
export function parseMask(text: string): bigint | undefined {
  if (/^(?:[01]{64}|[01]{128})$/.test(text)) return BigInt(`0b${[...text].reverse().join("")}`);
  const words = text.split(":").map(parseWord);
  let mask = 0n;
  for (const word of words) {
    if (word === undefined || (words.length > 1 && word >= 1n << 64n)) return undefined;
    mask = (mask << 64n) | word;
  }
  return mask < 1n << BigInt(BITS) ? mask : undefined;
}

function parseWord(text: string): bigint | undefined {
  if (text.length > 40) return undefined;
  const plain = text.replaceAll("_", "").replace(/(?:u?ll?|n)$/i, "");
  if (/^(?:0x[0-9a-f]+|\d+)$/i.test(plain)) return BigInt(plain);
  return /^[0-9a-f]*[a-f][0-9a-f]*$/i.test(plain) ? BigInt(`0x${plain}`) : undefined;
}

export function compareFeatures(
  first: bigint,
  second: bigint | undefined,
  given: FeatureSpace,
): FeatureComparison {
  const all = first | (second ?? 0n);
  const { space, guessed } = settle(all, given);
  const namers = namersOf(space);
  const features: Feature[] = [];
  for (let bit = 0; bit < BITS; bit++) {
    const mask = 1n << BigInt(bit);
    if ((all & mask) === 0n) continue;
    features.push({
      bit,
      names: namers.flatMap(({ device, flags }) =>
        flags
          .filter((flag) => BigInt(flag.mask) === mask)
          .map(({ name, doc, source }) => ({ name, device, doc, source })),
      ),
      range: space === "vhost-user protocol" ? "not in vhost-user.rst" : rangeOf(bit),
      inFirst: (first & mask) !== 0n,
      inSecond: ((second ?? first) & mask) !== 0n,
    });
  }
  return { first, second, space, guessed, features };
}

interface Namer {
  readonly device: VirtioDeviceId | undefined;
  readonly flags: readonly FlagBit[];
}

function namersOf(space: FeatureSpace): Namer[] {
  if (space === "vhost-user protocol") return [{ device: undefined, flags: vhostUserProtocolFeatureBits }];
  const devices = space.device === VirtioDeviceId.VIRTIO_ID_INVALID ? DEVICES_WITH_FEATURES : [space.device];
  return [
    { device: undefined, flags: COMMON_FEATURES },
    ...devices.map((device): Namer => ({ device, flags: deviceFeatures(device) })),
  ];
}

/** Where the device type is not given and one alone explains the bits, it is that one. */
function settle(all: bigint, space: FeatureSpace): { space: FeatureSpace; guessed: boolean } {
  if (space === "vhost-user protocol" || space.device !== VirtioDeviceId.VIRTIO_ID_INVALID)
    return { space, guessed: false };
  const device = deviceOfMask(all);
  return device === undefined ? { space, guessed: false } : { space: { device }, guessed: true };
}

/** @source virtio 1.4, 2.2 Feature Bits */
function rangeOf(bit: number): string {
  if (bit <= 23 || bit === 41 || bit === 42 || bit >= 50) return "for the device type, unknown";
  if (bit <= 43) return "reserved for queues and negotiation, unknown";
  return "reserved for future extensions";
}
