/** Rules about guest memory and the dirty log. */
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import { dirtyLogSize } from "../dirty-log.js";
import { type Session, sameRegion } from "../session.js";
import type { Rule } from "./rule.js";

export const memoryRules: readonly Rule[] = [
  {
    id: "ring-outside-memory",
    says: "The user addresses of a ring lie in a memory region that the front-end has sent.",
    section: "Memory access",
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetVringAddr") return undefined;
      if (session.whole !== true || !hasUserAddresses(session)) return undefined;
      const { descUserAddr, usedUserAddr, availUserAddr } = body.body.value;
      const outside = [descUserAddr, usedUserAddr, availUserAddr].find(
        (address) => !isInside(address, session),
      );
      return outside === undefined ? undefined : `0x${outside.toString(16)} is in no region`;
    },
  },
  {
    id: "unknown-region-removed",
    says: "VHOST_USER_REM_MEM_REG names a region that was sent, by guest address, user address and size.",
    section: "Front-end message types, VHOST_USER_REM_MEM_REG",
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserRemMemReg") return undefined;
      const { region } = body.body.value;
      if (session.whole !== true || session.regions?.some((known) => sameRegion(known, region)))
        return undefined;
      return `no region is at guest address 0x${region.guestPhysAddr.toString(16)} with this size and user address`;
    },
  },
  {
    id: "memory-slots-exceeded",
    says: "There are no more regions than the back-end has slots.",
    section: "Front-end message types, VHOST_USER_GET_MAX_MEM_SLOTS",
    judge: ({ body }, { memorySlots, regions }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserAddMemReg") return undefined;
      if (memorySlots === undefined || BigInt(regions?.length ?? 0) < memorySlots) return undefined;
      return `the back-end has ${memorySlots} slots`;
    },
  },
  {
    id: "log-too-small",
    says: "The dirty log has a bit for every page up to the end of the last memory region.",
    section: "Migration",
    judge: ({ body }, { regions }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetLogBase") return undefined;
      const { base } = body.body.value;
      if (base.case !== "log" || regions === undefined) return undefined;
      const needed = dirtyLogSize(regions);
      const { mmapSize } = base.value;
      return mmapSize >= needed
        ? undefined
        : `0x${mmapSize.toString(16)} bytes, needs 0x${needed.toString(16)}`;
    },
  },
  {
    id: "logging-without-log",
    says: "VHOST_F_LOG_ALL is set for running rings only once there is a log.",
    section: "Migration",
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetFeatures") return undefined;
      const isLogging = (body.body.value.features & VirtioFeature.VHOST_F_LOG_ALL) !== 0n;
      // While no ring runs nothing is written: QEMU sets up a device that is added during a migration in this order.
      if (!isLogging || session.log !== undefined || session.runningRings().length === 0) return undefined;
      return session.whole === true ? "no VHOST_USER_SET_LOG_BASE has come before" : undefined;
    },
  },
];

/** With an IOMMU, and with guest-physical addresses, regions are not looked up by user address. */
function hasUserAddresses(session: Session): boolean {
  return (
    session.has("VIRTIO_F_ACCESS_PLATFORM") === false &&
    session.has("VHOST_USER_PROTOCOL_F_GPA_ADDRESSES") === false
  );
}

function isInside(address: bigint, { regions = [] }: Session): boolean {
  return regions.some(
    ({ userspaceAddr, memorySize }) => address >= userspaceAddr && address - userspaceAddr < memorySize,
  );
}
