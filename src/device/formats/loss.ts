/** What a format of migration cannot hold of a device's state. */
import type { DeviceState } from "../member/device-state.js";

export interface Loss {
  /** Of the state, e.g. `queues[2].standing`. */
  readonly path: string;
  readonly reason: string;
}

/** Of formats that are for all device types, and have no place for what only one of them has. */
export function internalLosses({ internal }: DeviceState): Loss[] {
  return internal === undefined
    ? []
    : [{ path: "internal", reason: "there is no field for the internal state of the device type" }];
}

/** A state in a format, and what is not in it. */
export interface Written {
  readonly bytes: Uint8Array;
  readonly losses: readonly Loss[];
}
