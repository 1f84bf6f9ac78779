/** For every other rule: a conversation that keeps it, and one that breaks it and no other. */
import { advise, checked, transfer } from "./feature-fixtures.js";
import { REGION, Talk } from "./talk.js";

export interface RuleFixture {
  readonly good: Talk;
  readonly bad: Talk;
}

const talk = (): Talk => new Talk();
const done = { value: 0n };
const region = { region: { ...REGION, mmapOffset: 0n } };
const CONFIG = { offset: 0, flags: 0, region: new Uint8Array(8) };

const acknowledging = (): Talk => talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_REPLY_ACK"] });
const withSlots = (): Talk => talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS"] });
const withState = (): Talk => talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_DEVICE_STATE"] });
const withFaults = (): Talk => talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_PAGEFAULT"] });
const withLog = (): Talk =>
  talk().begin({ features: ["VHOST_F_LOG_ALL"], protocol: ["VHOST_USER_PROTOCOL_F_LOG_SHMFD"] });
const withEndian = (): Talk => talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_CROSS_ENDIAN"] });
const withIommu = (): Talk => talk().begin({ features: ["VIRTIO_F_ACCESS_PLATFORM"] });
const withConfig = (): Talk =>
  talk()
    .begin({ protocol: ["VHOST_USER_PROTOCOL_F_CONFIG"] })
    .ask({ case: "vhostUserGetConfig", value: CONFIG });
const withChannel = (): Talk =>
  talk()
    .begin({ protocol: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_CONFIG"] })
    .ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 })
    .start();
const withShmem = (sendsFds: boolean): Talk =>
  talk()
    .begin({
      protocol: [
        "VHOST_USER_PROTOCOL_F_BACKEND_REQ",
        "VHOST_USER_PROTOCOL_F_SHMEM",
        ...(sendsFds ? (["VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD"] as const) : []),
      ],
    })
    .ask({ case: "vhostUserSetBackendReqFd", value: undefined }, { fds: 1 })
    .start();
const map = (after: Talk, fds: number): Talk =>
  after.backendAsks(
    {
      case: "vhostUserBackendShmemMap",
      value: { shmid: 0, fdOffset: 0n, shmOffset: 0n, len: 4096n, flags: 1n },
    },
    { fds },
  );
const queues = (): Talk =>
  talk()
    .begin({ protocol: ["VHOST_USER_PROTOCOL_F_MQ"] })
    .ask({ case: "vhostUserGetQueueNum", value: undefined })
    .answer({ case: "vhostUserGetQueueNum", value: { queueNum: 2n } });
const addresses = (descUserAddr: bigint, flags = 0) =>
  ({
    case: "vhostUserSetVringAddr",
    value: {
      index: 0,
      flags,
      descUserAddr,
      usedUserAddr: REGION.userspaceAddr + 0x2000n,
      availUserAddr: REGION.userspaceAddr + 0x1000n,
      logGuestAddr: 0x2000n,
    },
  }) as const;
const logOf = (mmapSize: bigint) =>
  ({
    case: "vhostUserSetLogBase",
    value: { base: { case: "log", value: { mmapSize, mmapOffset: 0n } } },
  }) as const;
const logSet = {
  case: "vhostUserSetLogBase",
  value: { reply: { case: "number", value: done } },
} as const;
const num = { case: "vhostUserSetVringNum", value: { index: 0, num: 256 } } as const;
const owner = { case: "vhostUserSetOwner", value: undefined } as const;

/** The message with another byte: the header is request, flags and size, of four bytes each. */
const changed =
  (at: number, value: number) =>
  (bytes: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };

export const ruleFixtures: Readonly<Record<string, RuleFixture>> = {
  version: {
    good: talk().begin(),
    bad: talk()
      .begin()
      .ask(num, { spoil: changed(4, 2) }),
  },
  "reply-flag": {
    good: talk().begin(),
    bad: talk()
      .begin()
      .ask(num, { spoil: changed(4, 5) }),
  },
  "unknown-request": {
    good: talk().begin(),
    // One above the last request of the document's next version.
    bad: talk()
      .begin()
      .ask(owner, { spoil: changed(0, 45) }),
  },
  "payload-size": {
    good: talk().begin().ask(num),
    bad: talk()
      .begin()
      // Four bytes instead of the eight of a vring state.
      .ask(num, { spoil: (bytes) => changed(8, 4)(bytes.slice(0, -4)) }),
  },
  "config-reply-size": {
    good: withConfig().answer({ case: "vhostUserGetConfig", value: { config: CONFIG } }),
    bad: withConfig().answer({
      case: "vhostUserGetConfig",
      value: { config: { ...CONFIG, region: new Uint8Array(4) } },
    }),
  },
  "vring-state-num": {
    good: talk().begin().stop(),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserGetVringBase", value: { index: 0, num: 1 } })
      .answer({ case: "vhostUserGetVringBase", value: { split: { index: 0, availIdx: 0 } } }),
  },
  "vring-base-reserved": {
    good: talk()
      .begin()
      .ask({ case: "vhostUserSetVringBase", value: { split: { index: 0, availIdx: 0xffff } } }),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserSetVringBase", value: { split: { index: 0, availIdx: 0, reserved: 1 } } }),
  },
  "vring-endian-value": {
    good: withEndian().ask({ case: "vhostUserSetVringEndian", value: { index: 0, num: 1 } }),
    bad: withEndian().ask({ case: "vhostUserSetVringEndian", value: { index: 0, num: 2 } }),
  },
  "iotlb-type": {
    good: withIommu()
      .ask({ case: "vhostUserIotlbMsg", value: { iova: 0n, size: 1n, uaddr: 0n, perm: 0, type: 3 } })
      .answer({ case: "vhostUserIotlbMsg", value: done }),
    bad: withIommu()
      .ask({ case: "vhostUserIotlbMsg", value: { iova: 0n, size: 1n, uaddr: 0n, perm: 0, type: 1 } })
      .answer({ case: "vhostUserIotlbMsg", value: done }),
  },
  "descriptors-missing": {
    good: talk().begin().memory(),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserSetVringCall", value: { index: 0, nofd: 0 } }, { fds: 0 }),
  },
  "descriptors-surplus": {
    good: talk()
      .begin()
      .ask({ case: "vhostUserSetVringCall", value: { index: 0, nofd: 1 } }),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserSetVringCall", value: { index: 0, nofd: 1 } }, { fds: 1 }),
  },
  "backend-descriptors-limit": {
    good: map(withShmem(true), 1),
    bad: map(withShmem(true), 9),
  },
  "backend-descriptors-without-feature": {
    good: map(withShmem(true), 1),
    bad: map(withShmem(false), 1),
  },
  "device-state-error-with-descriptor": {
    good: transfer(withState()),
    bad: withState()
      .ask({ case: "vhostUserSetDeviceStateFd", value: { direction: 0, phase: 0 } }, { fds: 1 })
      .answer({ case: "vhostUserSetDeviceStateFd", value: { error: 1, nofd: 0 } }, { fds: 1 }),
  },
  "reply-missing": {
    good: acknowledging()
      .ask(num, { needReply: true })
      .answer({ case: "vhostUserSetVringNum", value: done })
      .ask({ case: "vhostUserGetFeatures", value: undefined }),
    bad: acknowledging().ask(num, { needReply: true }).stop(),
  },
  "reply-unasked": {
    good: acknowledging().ask(num),
    bad: acknowledging().ask(num).answer({ case: "vhostUserSetVringNum", value: done }),
  },
  "need-reply-without-feature": {
    good: talk().begin().ask(num),
    bad: talk().begin().ask(num, { needReply: true }),
  },
  "features-not-offered": {
    good: talk().begin({ features: ["VIRTIO_F_RING_PACKED"] }),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserSetFeatures", value: { features: 0x540000000n } }),
  },
  "protocol-features-not-offered": {
    good: talk().begin({ protocol: ["VHOST_USER_PROTOCOL_F_MQ"] }),
    bad: talk()
      .begin()
      .ask({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures: 1n } }),
  },
  "inband-notifications-alone": {
    good: talk().begin({
      protocol: [
        "VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS",
        "VHOST_USER_PROTOCOL_F_BACKEND_REQ",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
      ],
    }),
    bad: talk().begin({
      protocol: ["VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS", "VHOST_USER_PROTOCOL_F_REPLY_ACK"],
    }),
  },
  "backend-channel-not-open": {
    good: withChannel().backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }),
    bad: talk()
      .begin({ protocol: ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_CONFIG"] })
      .start()
      .backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }),
  },
  "ring-changed-while-running": {
    good: talk().begin().start().stop().ask(num),
    bad: talk().begin().start().ask(num),
  },
  "ring-index": {
    good: queues().ask({ case: "vhostUserSetVringNum", value: { index: 1, num: 128 } }),
    bad: queues().ask({ case: "vhostUserSetVringNum", value: { index: 2, num: 128 } }),
  },
  "ring-endian-late": {
    good: withEndian()
      .ask({ case: "vhostUserSetVringEndian", value: { index: 0, num: 0 } })
      .start(),
    bad: withEndian()
      .start()
      .ask({ case: "vhostUserSetVringEndian", value: { index: 0, num: 0 } }),
  },
  "request-while-suspended": {
    good: withChannel().backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }),
    bad: withChannel().stop().backendAsks({ case: "vhostUserBackendConfigChangeMsg", value: undefined }),
  },
  "ring-outside-memory": {
    good: talk().begin().memory().ask(addresses(REGION.userspaceAddr)),
    bad: talk()
      .begin()
      .memory()
      .ask(addresses(REGION.userspaceAddr + REGION.memorySize)),
  },
  "unknown-region-removed": {
    good: withSlots()
      .ask({ case: "vhostUserAddMemReg", value: region }, { fds: 1 })
      .ask({ case: "vhostUserRemMemReg", value: region }),
    bad: withSlots()
      .ask({ case: "vhostUserAddMemReg", value: region }, { fds: 1 })
      .ask({ case: "vhostUserRemMemReg", value: { region: { ...region.region, memorySize: 1n } } }),
  },
  "memory-slots-exceeded": {
    good: slots(1),
    bad: slots(2),
  },
  "log-too-small": {
    // 128 MiB are 32768 pages, of which eight go into a byte.
    good: withLog().memory().ask(logOf(4096n), { fds: 1 }).answer(logSet),
    bad: withLog().memory().ask(logOf(4095n), { fds: 1 }).answer(logSet),
  },
  "logging-without-log": {
    good: logging(true),
    bad: logging(false),
  },
  "device-state-while-running": {
    good: transfer(withState().start().stop()),
    bad: transfer(withState().start()),
  },
  "device-state-parameters": {
    good: transfer(withState()),
    bad: withState()
      .ask({ case: "vhostUserSetDeviceStateFd", value: { direction: 0, phase: 1 } }, { fds: 1 })
      .answer({ case: "vhostUserSetDeviceStateFd", value: { error: 0, nofd: 1 } }),
  },
  "device-state-unchecked": {
    good: transfer(checked(transfer(withState()))),
    bad: transfer(transfer(withState())),
  },
  "device-state-nothing-to-check": {
    good: checked(transfer(withState())),
    bad: checked(withState()),
  },
  "ring-started-during-transfer": {
    good: checked(transfer(withState())).start(),
    bad: transfer(withState()).start(),
  },
  "postcopy-listen-without-advise": {
    good: advise(withFaults()).ask({ case: "vhostUserPostcopyListen", value: undefined }),
    bad: withFaults().ask({ case: "vhostUserPostcopyListen", value: undefined }),
  },
  "postcopy-end-without-listen": {
    good: end(advise(withFaults()).ask({ case: "vhostUserPostcopyListen", value: undefined })),
    bad: end(advise(withFaults())),
  },
};

function slots(count: number): Talk {
  const begun = withSlots()
    .ask({ case: "vhostUserGetMaxMemSlots", value: undefined })
    .answer({ case: "vhostUserGetMaxMemSlots", value: { slots: 1n } });
  for (let i = 0; i < count; i++) {
    const guestPhysAddr = BigInt(i) * REGION.memorySize;
    begun.ask(
      { case: "vhostUserAddMemReg", value: { region: { ...region.region, guestPhysAddr } } },
      { fds: 1 },
    );
  }
  return begun;
}

function logging(hasLog: boolean): Talk {
  const running = withLog()
    .ask({ case: "vhostUserSetFeatures", value: { features: 0x140000000n } })
    .start();
  if (hasLog) running.ask(logOf(4096n), { fds: 1 }).answer(logSet);
  return running.ask({ case: "vhostUserSetFeatures", value: { features: 0x144000000n } });
}

function end(listening: Talk): Talk {
  return listening
    .ask({ case: "vhostUserPostcopyEnd", value: undefined })
    .answer({ case: "vhostUserPostcopyEnd", value: done });
}
