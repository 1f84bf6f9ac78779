/** Random states of devices, and two states compared field by field, by other code than that of the report. */
import fc from "fast-check";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { DeviceState, QueueState } from "../../../src/device/index.js";

export const PACKED = 1n << 34n;

const u16 = fc.nat(0xffff);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const index = fc.nat(0x7fff);

const owned = fc
  .uniqueArray(fc.nat(255), { maxLength: 4 })
  .map((ids) => ids.map((id) => ({ id, parts: undefined })));

function queue(packed: boolean): fc.Arbitrary<QueueState> {
  const standing = fc.record({
    available: index,
    used: packed ? index : fc.option(index, { nil: undefined }),
    availableWrap: packed ? fc.boolean() : fc.constant(true),
    usedWrap: packed ? fc.boolean() : fc.constant(true),
    isRetakable: packed ? fc.constant(undefined) : fc.option(fc.boolean(), { nil: undefined }),
  });
  return fc.record({
    size: fc.constantFrom(0, 1, 64, 256, 32768),
    maxSize: fc.option(fc.constantFrom(256, 1024), { nil: undefined }),
    msixVector: fc.constantFrom(0, 3, 0xffff),
    enabled: fc.boolean(),
    descriptorArea: u64,
    driverArea: u64,
    deviceArea: u64,
    notifyOffset: fc.option(u16, { nil: undefined }),
    notifyData: fc.option(u16, { nil: undefined }),
    standing,
    owned,
  });
}

/** Entropy devices have no configuration; of the others any bytes of the right number are one. */
const shape = fc.constantFrom(
  { deviceType: VirtioDeviceId.VIRTIO_ID_RNG, size: 0 },
  { deviceType: VirtioDeviceId.VIRTIO_ID_BLOCK, size: 60 },
  { deviceType: VirtioDeviceId.VIRTIO_ID_NET, size: 12 },
);

export const deviceStates: fc.Arbitrary<DeviceState> = fc
  .tuple(shape, fc.boolean(), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }))
  .chain(([{ deviceType, size }, packed, features]) =>
    fc.record({
      deviceType: fc.constant(deviceType),
      deviceFeatures: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      driverFeatures: fc.constant(packed ? features | PACKED : features & ~PACKED),
      status: fc.nat(0xff),
      deviceFeatureSelect: fc.nat(7),
      driverFeatureSelect: fc.nat(7),
      queueSelect: fc.nat(5),
      configMsixVector: fc.constantFrom(0, 7, 0xffff),
      configGeneration: fc.nat(0xff),
      queues: fc.array(queue(packed), { maxLength: 5 }),
      isr: fc.option(fc.nat(3), { nil: undefined }),
      config: fc.uint8Array({ minLength: size, maxLength: size }),
      isBigEndian: fc.option(fc.boolean(), { nil: undefined }),
    }),
  );

/** Path to value; `undefined` for what a state does not say. */
export type Flat = Map<string, unknown>;

/** What `state` says, in the report's names; what nobody can tell from guest memory is left to the caller. */
export function flat(state: DeviceState): Flat {
  const isPacked = (state.driverFeatures & PACKED) !== 0n;
  const fields: Flat = new Map<string, unknown>([
    ["device_features", state.deviceFeatures],
    ["driver_features", state.driverFeatures],
    ["device_status", state.status],
    ["device_feature_select", state.deviceFeatureSelect],
    ["driver_feature_select", state.driverFeatureSelect],
    ["queue_select", state.queueSelect],
    ["config_msix_vector", state.configMsixVector],
    ["config_generation", state.configGeneration],
    ["num_queues", state.queues.length],
    ["isr", state.isr ?? 0],
    ["config_order", state.isBigEndian === true ? "big" : "little"],
  ]);
  // A context swaps the numbers of a big-endian configuration: see the captures of s390x.
  if (state.isBigEndian !== true) fields.set("config", [...state.config]);
  state.queues.forEach((one, i) => {
    const put = (name: string, value: unknown) => fields.set(`queues[${i}].${name}`, value);
    put("size", one.size);
    put("max_size", one.maxSize ?? one.size);
    put("msix_vector", one.msixVector);
    put("enabled", one.enabled);
    put("desc", one.descriptorArea);
    put("driver", one.driverArea);
    put("device", one.deviceArea);
    put("notify_off", one.notifyOffset ?? i);
    put("notif_config_data", one.notifyData ?? 0);
    if (!one.enabled) return;
    put(
      "last_avail_idx",
      isPacked ? [one.standing?.available, one.standing?.availableWrap] : one.standing?.available,
    );
    if (isPacked) put("used_idx", [one.standing?.used, one.standing?.usedWrap]);
    put(
      "owned",
      one.owned.map(({ id }) => id),
    );
  });
  return fields;
}
