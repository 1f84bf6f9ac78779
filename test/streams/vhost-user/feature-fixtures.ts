/** For every request that needs a feature: a conversation with that request, with and without the feature. */
import type { FeatureName, ProtocolFeatureName, Talk } from "./talk.js";
import { REGION } from "./talk.js";

export interface FeatureFixture {
  readonly needs: FeatureName | ProtocolFeatureName;
  /** Other features that the conversation takes. */
  readonly besides?: readonly ProtocolFeatureName[];
  /** What has to come before, while the feature is there. */
  readonly before?: (talk: Talk) => Talk;
  readonly use: (talk: Talk, hasFeature: boolean) => Talk;
}

const SHARED = { uuid: new Uint8Array(16) };
const INFLIGHT = {
  mmapOffset: 0n,
  numQueues: 1,
  queueSize: 128,
  tail: { case: "padding", value: new Uint8Array(4) },
} as const;
const CONFIG = { offset: 0, flags: 0, region: new Uint8Array(8) };
const MMAP = { shmid: 0, fdOffset: 0n, shmOffset: 0n, len: 0x1000n, flags: 1n };
const region = { region: { ...REGION, mmapOffset: 0n } };
const state = { index: 0, num: 0 };
const done = { value: 0n };

/** Opens the back-end's channel, and lets a ring run: a suspended device must be silent. */
const withChannel = (talk: Talk): Talk =>
  talk.ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 }).start();

const CHANNEL = { besides: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ"], before: withChannel } as const;

export const featureFixtures: Readonly<Record<string, FeatureFixture>> = {
  "set-log-base": {
    needs: "VHOST_USER_PROTOCOL_F_LOG_SHMFD",
    use: (talk, hasFeature) => {
      talk.ask(
        {
          case: "vhostUserSetLogBase",
          value: { base: { case: "log", value: { mmapSize: 4096n, mmapOffset: 0n } } },
        },
        { fds: 1 },
      );
      if (!hasFeature) return talk;
      return talk.answer({ case: "vhostUserSetLogBase", value: { reply: { case: "number", value: done } } });
    },
  },
  "get-protocol-features": {
    needs: "VHOST_USER_F_PROTOCOL_FEATURES",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetProtocolFeatures", value: undefined })
        .answer({ case: "vhostUserGetProtocolFeatures", value: { protocolFeatures: 0n } }),
  },
  "set-protocol-features": {
    needs: "VHOST_USER_F_PROTOCOL_FEATURES",
    use: (talk) => talk.ask({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures: 0n } }),
  },
  "get-queue-num": {
    needs: "VHOST_USER_PROTOCOL_F_MQ",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetQueueNum", value: undefined })
        .answer({ case: "vhostUserGetQueueNum", value: { queueNum: 2n } }),
  },
  "set-vring-enable": {
    needs: "VHOST_USER_F_PROTOCOL_FEATURES",
    use: (talk) => talk.ask({ case: "vhostUserSetVringEnable", value: { index: 0, num: 1 } }),
  },
  "send-rarp": {
    needs: "VHOST_USER_PROTOCOL_F_RARP",
    use: (talk) => talk.ask({ case: "vhostUserSendRarp", value: { mac: new Uint8Array(6) } }),
  },
  "net-set-mtu": {
    needs: "VHOST_USER_PROTOCOL_F_MTU",
    use: (talk) => talk.ask({ case: "vhostUserNetSetMtu", value: { mtu: 1500n } }),
  },
  "set-backend-req-fd": {
    needs: "VHOST_USER_PROTOCOL_F_BACKEND_REQ",
    use: (talk) => talk.ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 }),
  },
  "iotlb-msg": {
    needs: "VIRTIO_F_ACCESS_PLATFORM",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserIotlbMsg", value: { iova: 0n, size: 4096n, uaddr: 0n, perm: 3, type: 2 } })
        .answer({ case: "vhostUserIotlbMsg", value: done }),
  },
  "set-vring-endian": {
    needs: "VHOST_USER_PROTOCOL_F_CROSS_ENDIAN",
    use: (talk) => talk.ask({ case: "vhostUserSetVringEndian", value: { index: 0, num: 1 } }),
  },
  "get-config": {
    needs: "VHOST_USER_PROTOCOL_F_CONFIG",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetConfig", value: CONFIG })
        .answer({ case: "vhostUserGetConfig", value: { config: CONFIG } }),
  },
  "set-config": {
    needs: "VHOST_USER_PROTOCOL_F_CONFIG",
    use: (talk) => talk.ask({ case: "vhostUserSetConfig", value: CONFIG }),
  },
  "create-crypto-session": {
    needs: "VHOST_USER_PROTOCOL_F_CRYPTO_SESSION",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserCreateCryptoSession", value: { session: new Uint8Array(64) } })
        .answer({ case: "vhostUserCreateCryptoSession", value: { session: new Uint8Array(64) } }),
  },
  "close-crypto-session": {
    needs: "VHOST_USER_PROTOCOL_F_CRYPTO_SESSION",
    use: (talk) => talk.ask({ case: "vhostUserCloseCryptoSession", value: { sessionId: 1n } }),
  },
  "postcopy-advise": {
    needs: "VHOST_USER_PROTOCOL_F_PAGEFAULT",
    use: (talk) => advise(talk),
  },
  "postcopy-listen": {
    needs: "VHOST_USER_PROTOCOL_F_PAGEFAULT",
    before: (talk) => advise(talk),
    use: (talk) => talk.ask({ case: "vhostUserPostcopyListen", value: undefined }),
  },
  "postcopy-end": {
    needs: "VHOST_USER_PROTOCOL_F_PAGEFAULT",
    before: (talk) => advise(talk).ask({ case: "vhostUserPostcopyListen", value: undefined }),
    use: (talk) =>
      talk
        .ask({ case: "vhostUserPostcopyEnd", value: undefined })
        .answer({ case: "vhostUserPostcopyEnd", value: done }),
  },
  "get-inflight-fd": {
    needs: "VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetInflightFd", value: { ...INFLIGHT, mmapSize: 0n } })
        .answer({ case: "vhostUserGetInflightFd", value: { ...INFLIGHT, mmapSize: 4096n } }, { fds: 1 }),
  },
  "set-inflight-fd": {
    needs: "VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD",
    use: (talk) =>
      talk.ask({ case: "vhostUserSetInflightFd", value: { ...INFLIGHT, mmapSize: 4096n } }, { fds: 1 }),
  },
  "reset-device": {
    needs: "VHOST_USER_PROTOCOL_F_RESET_DEVICE",
    use: (talk) => talk.ask({ case: "vhostUserResetDevice", value: undefined }),
  },
  "vring-kick": {
    needs: "VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS",
    besides: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"],
    use: (talk) => talk.ask({ case: "vhostUserVringKick", value: state }),
  },
  "get-max-mem-slots": {
    needs: "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetMaxMemSlots", value: undefined })
        .answer({ case: "vhostUserGetMaxMemSlots", value: { slots: 32n } }),
  },
  "add-mem-reg": {
    needs: "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS",
    use: (talk) => talk.ask({ case: "vhostUserAddMemReg", value: region }, { fds: 1 }),
  },
  "rem-mem-reg": {
    needs: "VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS",
    before: (talk) => talk.ask({ case: "vhostUserAddMemReg", value: region }, { fds: 1 }),
    use: (talk) => talk.ask({ case: "vhostUserRemMemReg", value: region }),
  },
  "set-status": {
    needs: "VHOST_USER_PROTOCOL_F_STATUS",
    use: (talk) => talk.ask({ case: "vhostUserSetStatus", value: { status: 1n } }),
  },
  "get-status": {
    needs: "VHOST_USER_PROTOCOL_F_STATUS",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetStatus", value: undefined })
        .answer({ case: "vhostUserGetStatus", value: { status: 1n } }),
  },
  "get-shared-object": {
    needs: "VHOST_USER_PROTOCOL_F_SHARED_OBJECT",
    use: (talk) =>
      talk
        .ask({ case: "vhostUserGetSharedObject", value: { object: SHARED } })
        .answer({ case: "vhostUserGetSharedObject", value: { object: SHARED } }, { fds: 1 }),
  },
  "set-device-state-fd": {
    needs: "VHOST_USER_PROTOCOL_F_DEVICE_STATE",
    use: (talk) => transfer(talk),
  },
  "check-device-state": {
    needs: "VHOST_USER_PROTOCOL_F_DEVICE_STATE",
    before: (talk) => transfer(talk),
    use: (talk) => checked(talk),
  },
  "get-shmem-config": {
    needs: "VHOST_USER_PROTOCOL_F_SHMEM",
    use: (talk) =>
      talk.ask({ case: "vhostUserGetShmemConfig", value: undefined }).answer({
        case: "vhostUserGetShmemConfig",
        value: { nregions: 0, memorySizes: Array.from({ length: 256 }, () => 0n) },
      }),
  },
  "backend-iotlb-msg": {
    ...CHANNEL,
    needs: "VIRTIO_F_ACCESS_PLATFORM",
    use: (talk) =>
      talk.backendAsks({
        case: "vhostUserBackendIotlbMsg",
        value: { iova: 0n, size: 0n, uaddr: 0n, perm: 1, type: 1 },
      }),
  },
  "backend-config-change-msg": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_CONFIG",
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }),
  },
  "backend-vring-host-notifier-msg": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_HOST_NOTIFIER",
    use: (talk) =>
      talk.backendAsks({
        case: "vhostUserBackendVringHostNotifierMsg",
        value: { index: 0, nofd: 1, size: 0n, offset: 0n },
      }),
  },
  "backend-vring-call": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS",
    besides: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"],
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendVringCall", value: state }),
  },
  "backend-vring-err": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS",
    besides: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"],
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendVringErr", value: state }),
  },
  "backend-shared-object-add": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_SHARED_OBJECT",
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendSharedObjectAdd", value: SHARED }),
  },
  "backend-shared-object-remove": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_SHARED_OBJECT",
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendSharedObjectRemove", value: SHARED }),
  },
  "backend-shared-object-lookup": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_SHARED_OBJECT",
    use: (talk) =>
      talk
        .backendAsks({ case: "vhostUserBackendSharedObjectLookup", value: SHARED })
        .frontendAnswers({ case: "vhostUserBackendSharedObjectLookup", value: done }, { fds: 1 }),
  },
  "backend-shmem-map": {
    needs: "VHOST_USER_PROTOCOL_F_SHMEM",
    besides: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD"],
    before: withChannel,
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendShmemMap", value: MMAP }, { fds: 1 }),
  },
  "backend-shmem-unmap": {
    ...CHANNEL,
    needs: "VHOST_USER_PROTOCOL_F_SHMEM",
    use: (talk) => talk.backendAsks({ case: "vhostUserBackendShmemUnmap", value: MMAP }),
  },
};

export function advise(talk: Talk): Talk {
  return talk
    .ask({ case: "vhostUserPostcopyAdvise", value: undefined })
    .answer({ case: "vhostUserPostcopyAdvise", value: undefined }, { fds: 1 });
}

export function transfer(talk: Talk): Talk {
  return talk
    .ask({ case: "vhostUserSetDeviceStateFd", value: { direction: 0, phase: 0 } }, { fds: 1 })
    .answer({ case: "vhostUserSetDeviceStateFd", value: { error: 0, nofd: 1 } });
}

export function checked(talk: Talk): Talk {
  return talk
    .ask({ case: "vhostUserCheckDeviceState", value: undefined })
    .answer({ case: "vhostUserCheckDeviceState", value: done });
}
