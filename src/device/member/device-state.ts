/**
 * What a virtio device is at one moment, in no format: what all formats of migration are made from and read into. Guest
 * memory is not part of it.
 */
/** MSI-X vector of what has none. @source virtio 1.4, VIRTIO_MSI_NO_VECTOR */
export const NO_VECTOR = 0xffff;

/** Where the device stands in a virtqueue (see QueuePosition), as far as it is known. */
export interface QueueStanding {
  /** Undefined: as far as what is used, which is all that the device had taken. */
  readonly available: number | undefined;
  /** Undefined: as the used index in guest memory says. */
  readonly used: number | undefined;
  readonly availableWrap: boolean;
  readonly usedWrap: boolean;
}

export interface QueueState {
  /** In descriptors: the driver's choice. */
  readonly size: number;
  readonly msixVector: number;
  readonly enabled: boolean;
  /** Guest-physical addresses. */
  readonly descriptorArea: bigint;
  readonly driverArea: bigint;
  readonly deviceArea: bigint;
  /** Undefined before the driver is ready, and where a format does not hold it. */
  readonly standing: QueueStanding | undefined;
  /** Buffers that the device has taken and not given back, by id, in order. */
  readonly owned: readonly number[];
}

/** What the driver has set through the control virtqueue of a network device. */
export interface NetState {
  /** Receive modes. */
  readonly promiscuous: boolean;
  readonly allMulticast: boolean;
  readonly allUnicast: boolean;
  readonly noMulticast: boolean;
  readonly noUnicast: boolean;
  readonly noBroadcast: boolean;
  /** Addresses that are received besides the device's own. */
  readonly unicast: readonly Uint8Array[];
  readonly multicast: readonly Uint8Array[];
  /** The driver has set more addresses than the device keeps: all of the kind are received. */
  readonly unicastOverflow: boolean;
  readonly multicastOverflow: boolean;
  /** Ids of the VLANs that are received, ascending. */
  readonly vlans: readonly number[];
  /** Pairs of virtqueues in use, from 1 on. */
  readonly pairs: number;
}

export interface DeviceState {
  /** `VirtioDeviceId` */
  readonly deviceType: number;
  readonly deviceFeatures: bigint;
  readonly driverFeatures: bigint;
  /** `VirtioDeviceStatus` */
  readonly status: number;
  /** Registers of the common configuration that only say what other registers show. */
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly queueSelect: number;
  readonly configMsixVector: number;
  readonly configGeneration: number;
  readonly queues: readonly QueueState[];
  /** The device-specific configuration, as the driver reads it. */
  readonly config: Uint8Array;
  /** What the device type has besides, in its own format. Undefined where it has nothing, and where a format has no place. */
  readonly internal?: Uint8Array;
  /** Of a network device with a control virtqueue, where the format holds it. */
  readonly net?: NetState;
}
