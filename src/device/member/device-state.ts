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
  /**
   * What the device owns is what stands in the driver's ring from `used` up to `available`, and nothing else: a device
   * that starts at `used` takes the same buffers again. Undefined: nobody has looked.
   */
  readonly isRetakable?: boolean | undefined;
}

/** A piece of guest memory. */
export interface BufferPart {
  /** Guest-physical. */
  readonly address: bigint;
  /** In bytes. */
  readonly length: number;
}

/** What the descriptors of a buffer say. */
export interface BufferParts {
  readonly readable: readonly BufferPart[];
  readonly writable: readonly BufferPart[];
  /** Of the ring, in a packed virtqueue. */
  readonly descriptors?: number | undefined;
}

/** A buffer that the device has taken and not given back. */
export interface OwnedBuffer {
  /** The index of its first descriptor (split), or its buffer id (packed). */
  readonly id: number;
  /** Undefined: only guest memory says it, and of a packed virtqueue nothing does. */
  readonly parts?: BufferParts | undefined;
}

export interface QueueState {
  /** In descriptors: the driver's choice. */
  readonly size: number;
  /** The largest that the device offers. Undefined where a format does not hold it. */
  readonly maxSize?: number | undefined;
  readonly msixVector: number;
  readonly enabled: boolean;
  /** Guest-physical addresses. */
  readonly descriptorArea: bigint;
  readonly driverArea: bigint;
  readonly deviceArea: bigint;
  /** `queue_notify_off`. Undefined: the index of the virtqueue. */
  readonly notifyOffset?: number | undefined;
  /** `queue_notif_config_data`. Undefined: 0. */
  readonly notifyData?: number | undefined;
  /** Undefined before the driver is ready, and where a format does not hold it. */
  readonly standing: QueueStanding | undefined;
  /** Buffers that the device has taken and not given back, in the order in which it has taken them. */
  readonly owned: readonly OwnedBuffer[];
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
  /** The device's address, where a format has it and has no configuration that would say it. */
  readonly mac?: Uint8Array | undefined;
}

/** As after a reset: drivers that send no commands get every frame, as from QEMU. */
export const RESET_NET: NetState = {
  promiscuous: true,
  allMulticast: false,
  allUnicast: false,
  noMulticast: false,
  noUnicast: false,
  noBroadcast: false,
  unicast: [],
  multicast: [],
  unicastOverflow: false,
  multicastOverflow: false,
  vlans: [],
  pairs: 1,
};

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
  /** `VirtioPciIsr`. Undefined: 0. */
  readonly isr?: number | undefined;
  /** The device-specific configuration, as the driver reads it. */
  readonly config: Uint8Array;
  /** What the device type has besides, in its own format. Undefined where it has nothing, and where a format has no place. */
  readonly internal?: Uint8Array;
  /** Of a network device with a control virtqueue, where the format holds it. */
  readonly net?: NetState;
  /** Its numbers are big-endian: a legacy driver of a big-endian guest reads them. */
  readonly isBigEndian?: boolean | undefined;
}
