/** A device that nothing is known of: what formats are read onto where there is no device to put them into. */
import { type DeviceState, NO_VECTOR, type QueueState } from "../member/device-state.js";

export const BLANK_QUEUE: QueueState = {
  size: 0,
  msixVector: NO_VECTOR,
  enabled: false,
  descriptorArea: 0n,
  driverArea: 0n,
  deviceArea: 0n,
  standing: undefined,
  owned: [],
};

/** `deviceType`: `VirtioDeviceId`. */
export function blankState(deviceType: number): DeviceState {
  return {
    deviceType,
    deviceFeatures: 0n,
    driverFeatures: 0n,
    status: 0,
    deviceFeatureSelect: 0,
    driverFeatureSelect: 0,
    queueSelect: 0,
    configMsixVector: NO_VECTOR,
    configGeneration: 0,
    queues: [],
    config: new Uint8Array(0),
  };
}
