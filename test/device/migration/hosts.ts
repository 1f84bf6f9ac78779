/** The three ways in which a member moves, each as a source's and a destination's end on the tests' hosts. */
import { VirtioAdminGroupType } from "../../../generated/virtio/admin.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../../src/device/drivers/device-parts-driver.js";
import { DraftV2Driver } from "../../../src/device/drivers/draft-v2-driver.js";
import { SERIES_POLICY, VfioVirtioDevice } from "../../../src/device/drivers/vfio-virtio.js";
import {
  DeviceContextDestination,
  DeviceContextSource,
} from "../../../src/device/migration/device-context-member.js";
import {
  DevicePartsDestination,
  DevicePartsSource,
} from "../../../src/device/migration/device-parts-member.js";
import { ObservedLog } from "../../../src/device/migration/dirty-log.js";
import type { DestinationMember, SourceMember } from "../../../src/device/migration/member.js";
import { VfioDestination, VfioSource } from "../../../src/device/migration/vfio-member.js";
import type { CommandProfile } from "../../../src/device/owner/command.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { type Host, MEMBER } from "../owner/bench.js";

export interface Way {
  readonly profile: () => CommandProfile;
  /** Requests in flight are part of the state. */
  readonly keepsRequests: boolean;
  /** Once for each host. */
  readonly prepare: (host: Host) => void;
  readonly source: (host: Host) => SourceMember;
  readonly destination: (host: Host) => DestinationMember;
}

const BLK = VirtioDeviceId.VIRTIO_ID_BLOCK;

const partsOf = (host: Host): DevicePartsDriver => new DevicePartsDriver(host.admin, MEMBER, new ObjectIds());
const vfioOf = (host: Host): VfioVirtioDevice =>
  new VfioVirtioDevice(partsOf(host), { device: BLK, policy: () => SERIES_POLICY });
const useParts = ({ admin }: Host): void => {
  admin.useAll(VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SELF);
  enableDeviceParts(admin);
};

export const ways: Readonly<Record<string, Way>> = {
  "the draft series' device context": {
    profile: () => new DraftV2Profile(),
    keepsRequests: true,
    prepare: () => {},
    source: (host) => new DeviceContextSource(new DraftV2Driver(host.admin, MEMBER), BLK),
    destination: (host) =>
      new DeviceContextDestination(new DraftV2Driver(host.admin, MEMBER), BLK, () => host.member.reset()),
  },
  "the device parts of virtio 1.4": {
    profile: () => new Virtio14Profile(),
    keepsRequests: false,
    prepare: useParts,
    source: (host) => new DevicePartsSource(partsOf(host), BLK, new ObservedLog(host.member.memory)),
    destination: (host) => new DevicePartsDestination(partsOf(host), BLK, () => host.member.reset()),
  },
  "a VFIO device": {
    profile: () => new Virtio14Profile(),
    keepsRequests: false,
    prepare: useParts,
    source: (host) => new VfioSource(vfioOf(host), BLK, new ObservedLog(host.member.memory)),
    destination: (host) => new VfioDestination(vfioOf(host), BLK, () => host.member.reset()),
  },
};
