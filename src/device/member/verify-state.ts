/** Whether a device can become what a state says. */
import type { DeviceState } from "./device-state.js";
import type { DeviceType } from "./device-type.js";

/** What there is here. */
export interface Verified {
  readonly type: DeviceType;
  /** Offered. */
  readonly features: bigint;
  /** The largest size of each virtqueue, in descriptors. */
  readonly maxSizes: readonly number[];
}

/** @throws RangeError when it cannot. */
export function verifyState(state: DeviceState, { type, features, maxSizes }: Verified): void {
  if (state.deviceType !== type.id) {
    throw new RangeError(`a device of type ${state.deviceType}, here is one of type ${type.id}`);
  }
  const foreign = state.driverFeatures & ~features;
  if (foreign !== 0n) throw new RangeError(`features 0x${foreign.toString(16)} are not offered here`);
  if (state.queues.length > maxSizes.length) {
    throw new RangeError(`${state.queues.length} virtqueues, here are ${maxSizes.length}`);
  }
  state.queues.forEach(({ size }, index) => {
    const max = maxSizes[index] ?? 0;
    if (size > max) throw new RangeError(`virtqueue ${index} has ${size} descriptors, here at most ${max}`);
  });
  const { length } = type.config();
  if (state.config.length !== length) {
    throw new RangeError(`a configuration of ${state.config.length} bytes, here of ${length}`);
  }
  type.verifyConfig?.(state.config);
  if (state.internal !== undefined) type.internal?.verify(state.internal);
  if (state.net !== undefined) type.net?.verify(state.net);
}
