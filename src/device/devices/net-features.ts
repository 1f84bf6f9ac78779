/** The features of a network device, and what those that are negotiated make of it. */
import { VirtioNetFeature } from "../../../generated/virtio/features.js";
import { VIRTIO_NET_HDR_SIZE, VIRTIO_NET_HDR_V1_SIZE } from "../../../generated/virtio/net.js";
import type { DevicePort } from "../member/device-type.js";
import type { NetControlFeatures } from "./net-control.js";

const {
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MAC,
  VIRTIO_NET_F_STATUS,
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_MQ,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_CTRL_RX,
  VIRTIO_NET_F_CTRL_RX_EXTRA,
  VIRTIO_NET_F_CTRL_VLAN,
  VIRTIO_NET_F_CTRL_MAC_ADDR,
} = VirtioNetFeature;
const BASE_FEATURES =
  VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_GUEST_ANNOUNCE;
const CONTROL_FEATURES =
  VIRTIO_NET_F_CTRL_VQ |
  VIRTIO_NET_F_CTRL_RX |
  VIRTIO_NET_F_CTRL_RX_EXTRA |
  VIRTIO_NET_F_CTRL_VLAN |
  VIRTIO_NET_F_CTRL_MAC_ADDR;

/** Virtqueues of a pair: to receive, then to transmit. */
export const PAIR = 2;

/** What a device offers. */
export function featuresOf(pairs: number, withoutControl: boolean): bigint {
  return BASE_FEATURES | (withoutControl ? 0n : CONTROL_FEATURES) | (pairs > 1 ? VIRTIO_NET_F_MQ : 0n);
}

/** What the negotiated features make of the device. */
export interface Negotiated {
  /** Of the header before each frame. */
  readonly headerLength: number;
  readonly mergeable: boolean;
  readonly controlQueue: number | undefined;
  readonly commands: NetControlFeatures;
}

export const NOTHING_NEGOTIATED: Negotiated = {
  headerLength: VIRTIO_NET_HDR_SIZE,
  mergeable: false,
  controlQueue: undefined,
  commands: { rx: false, rxExtra: false, vlan: false, mac: false, announce: false, mq: false },
};

/** `controlled`: pairs of a device with a control virtqueue. */
export function negotiatedOn(port: DevicePort, controlled: number | undefined): Negotiated {
  const mergeable = port.has(VIRTIO_NET_F_MRG_RXBUF);
  const hasControl = controlled !== undefined && port.has(VIRTIO_NET_F_CTRL_VQ);
  const mq = port.has(VIRTIO_NET_F_MQ);
  return {
    mergeable,
    headerLength: mergeable || port.has(VIRTIO_F_VERSION_1) ? VIRTIO_NET_HDR_V1_SIZE : VIRTIO_NET_HDR_SIZE,
    // Without VIRTIO_NET_F_MQ the driver knows of one pair only.
    controlQueue: hasControl ? PAIR * (mq ? controlled : 1) : undefined,
    commands: {
      rx: hasControl && port.has(VIRTIO_NET_F_CTRL_RX),
      rxExtra: hasControl && port.has(VIRTIO_NET_F_CTRL_RX_EXTRA),
      vlan: hasControl && port.has(VIRTIO_NET_F_CTRL_VLAN),
      mac: hasControl && port.has(VIRTIO_NET_F_CTRL_MAC_ADDR),
      announce: hasControl && port.has(VIRTIO_NET_F_GUEST_ANNOUNCE),
      mq: hasControl && mq,
    },
  };
}
