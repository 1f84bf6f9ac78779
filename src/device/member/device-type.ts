/** What a device type (net, block, …) adds to the frame that all virtio devices share. */
import type { DescriptorChain } from "../rings/chain.js";
import type { NetState } from "./device-state.js";

/** What the frame gives to a device type. */
export interface DevicePort {
  /** Whether the device may touch guest memory now: not while its owner or its front-end has stopped it. */
  readonly isActive: boolean;
  /** Whether a feature is negotiated. */
  has(feature: bigint): boolean;
  /** Whether the driver has a virtqueue in use: one that is not has no buffers, and may never have any. */
  isEnabled(queue: number): boolean;
  /** The next buffer of a virtqueue; undefined when there is none, or when the device may not touch memory now. */
  take(queue: number): DescriptorChain | undefined;
  /** Gives a buffer back. With `more` the driver sees it together with the next one that is given back without. */
  give(queue: number, chain: DescriptorChain, more?: boolean): void;
  /** Notifies the driver of buffers that were given back while no virtqueue was served. */
  tellUsed(): void;
  /** Asks the driver to notify when it makes buffers available on a virtqueue: there is work that waits for them. */
  wantBuffers(queue: number): void;
  /** Tells the driver that the device-specific configuration has changed. */
  configChanged(): void;
  /** Work that was waited for is done: tells the driver of what was given back, and serves the virtqueue again. */
  wake(queue: number): void;
}

/**
 * State of a device type that no register shows and that its driver relies on all the same, e.g. which files are open: in
 * a format of the type's own. What migrates a device carries it where it has a place for it.
 */
export interface InternalState {
  save(): Uint8Array;
  /** @throws RangeError when the bytes are no state that this device can take over. */
  verify(state: Uint8Array): void;
  /** Takes over what `verify` has let pass. */
  restore(state: Uint8Array): void;
}

/** What the driver has set through the control virtqueue of a network device. */
export interface NetControlState {
  save(): NetState;
  /** @throws RangeError when the device cannot take the state over. */
  verify(state: NetState): void;
  /** Takes over what `verify` has let pass. Undefined, where a format does not hold it: as after a reset. */
  restore(state: NetState | undefined): void;
}

export interface DeviceType {
  /** `VirtioDeviceId` */
  readonly id: number;
  /** Feature bits of this type; those of the rings and of the transport are the frame's. */
  readonly features: bigint;
  /** The largest size of each virtqueue, in descriptors. */
  readonly queueSizes: readonly number[];
  /** How many of them, at the end, are administration virtqueues; none when left out. */
  readonly adminQueues?: number;
  /** The device-specific configuration, as it is now. */
  config(): Uint8Array;
  /** The driver writes to it. Fields that the driver may not write stay as they are. */
  writeConfig(offset: number, bytes: Uint8Array): void;
  /** The driver is ready, here or where the device comes from. */
  start(port: DevicePort): void;
  /** Does one piece of work on a virtqueue, e.g. one request. False when there is nothing to do. */
  serve(queue: number): boolean;
  /** Finishes everything that it has taken: all buffers are given back when this returns, or when `settled` resolves. */
  finish(): void;
  /** Only of types that wait for something, such as a file: resolves when nothing is waited for any more. */
  settled?(): Promise<void>;
  /** Something that was begun goes on by itself, and may touch guest memory until `settled` resolves. */
  readonly busy?: boolean;
  /** A buffer that the device had taken before it came here: to be served as if it was taken now. */
  resume(queue: number, chain: DescriptorChain): void;
  /** The driver resets the device: nothing that it has set up is left, and no buffer is the device's any more. */
  reset(): void;
  /** Makes the driver's address known to the network, after a migration; only of network devices. */
  announce?(mac: Uint8Array): void;
  /** None: nothing of the type's own has to move. */
  readonly internal?: InternalState;
  /** @throws RangeError when the device cannot have this configuration, which has the right length. */
  verifyConfig?(config: Uint8Array): void;
  /** Takes over the device-specific configuration of where the device comes from. */
  restoreConfig(config: Uint8Array): void;
  /** Undefined: no network device, or one without a control virtqueue. */
  readonly net?: NetControlState | undefined;
}
