/** Which protocol features both ends have, and what the back-end of a device type makes of them. */
import { VhostUserProtocolFeature } from "../../generated/vhost-user/messages.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";

const {
  VHOST_USER_PROTOCOL_F_MQ,
  VHOST_USER_PROTOCOL_F_LOG_SHMFD,
  VHOST_USER_PROTOCOL_F_RARP,
  VHOST_USER_PROTOCOL_F_REPLY_ACK,
  VHOST_USER_PROTOCOL_F_BACKEND_REQ,
  VHOST_USER_PROTOCOL_F_CONFIG,
  VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
  VHOST_USER_PROTOCOL_F_RESET_DEVICE,
  VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  VHOST_USER_PROTOCOL_F_STATUS,
  VHOST_USER_PROTOCOL_F_DEVICE_STATE,
  VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT,
} = VhostUserProtocolFeature;

const COMMON =
  VHOST_USER_PROTOCOL_F_MQ |
  VHOST_USER_PROTOCOL_F_LOG_SHMFD |
  VHOST_USER_PROTOCOL_F_REPLY_ACK |
  VHOST_USER_PROTOCOL_F_BACKEND_REQ |
  VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD |
  VHOST_USER_PROTOCOL_F_RESET_DEVICE |
  VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
  VHOST_USER_PROTOCOL_F_STATUS |
  VHOST_USER_PROTOCOL_F_DEVICE_STATE;

/** All that are known here: a front-end agrees on those that its back-end has, too. */
export const PROTOCOL_FEATURES: bigint = COMMON | VHOST_USER_PROTOCOL_F_RARP | VHOST_USER_PROTOCOL_F_CONFIG;

/**
 * What the back-end of a device type offers, but for `without`.
 *
 * With GET_VRING_BASE_INFLIGHT a back-end may leave requests in flight when a virtqueue stops, and the front-end migrates
 * the inflight region. Ours completes them all the same, and serves what another back-end has left: so it is offered to
 * front-ends, and our own front-end, which migrates no region, does not agree to it.
 */
export function protocolFeaturesOf(deviceType: number, without = 0n): bigint {
  // The front-end of a network device has its configuration itself, and QEMU complains of a back-end that offers it.
  const own =
    deviceType === VirtioDeviceId.VIRTIO_ID_NET ? VHOST_USER_PROTOCOL_F_RARP : VHOST_USER_PROTOCOL_F_CONFIG;
  const offered = (COMMON | own | VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT) & ~without;
  // It means nothing without a region.
  return (offered & VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) === 0n
    ? offered & ~VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT
    : offered;
}

/** What VHOST_USER_GET_QUEUE_NUM says: QEMU counts a network device's virtqueues in pairs. */
export function queueNumber(deviceType: number, virtqueues: number): number {
  return deviceType === VirtioDeviceId.VIRTIO_ID_NET ? Math.floor(virtqueues / 2) : virtqueues;
}

/** The bit of a protocol feature's name, as the message tables give it; undefined for another kind of feature. */
export function protocolFeatureBit(name: string): bigint | undefined {
  return Object.entries(VhostUserProtocolFeature).find(([known]) => known === name)?.[1];
}
