/** What a back-end offers. */
import { describe, expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../generated/vhost-user/messages.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { PROTOCOL_FEATURES, protocolFeaturesOf } from "../../src/vhost-user/protocol-features.js";

const { VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD: REGION, VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT: LEAVE } =
  VhostUserProtocolFeature;

describe("requests that are left in flight when a virtqueue stops", () => {
  it("need an inflight region", () => {
    const disk = VirtioDeviceId.VIRTIO_ID_BLOCK;
    expect(protocolFeaturesOf(disk) & (REGION | LEAVE)).toBe(REGION | LEAVE);
    expect(protocolFeaturesOf(disk, REGION) & (REGION | LEAVE)).toBe(0n);
    expect(protocolFeaturesOf(disk, LEAVE) & (REGION | LEAVE)).toBe(REGION);
  });

  it("are nothing that the front-end here agrees to: it would lose them", () => {
    expect(PROTOCOL_FEATURES & LEAVE).toBe(0n);
  });
});
