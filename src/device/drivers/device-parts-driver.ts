/**
 * A driver that migrates members of a group with the device parts of virtio 1.4. Objects for getting and setting are made
 * when they are needed and given back by `close`; their ids are drawn from one allocator for all members of the owner.
 * @source virtio 1.4, Device parts (admin-cmds-device-parts.tex); Linux 7.2, drivers/virtio/virtio_pci_modern.c
 */

import { VirtioAdminGroupType } from "../../../generated/virtio/admin.js";
import {
  decodeVirtioAdminCmdDevPartsMetadataResult,
  decodeVirtioDevPartsCap,
  encodeVirtioAdminCmdCapGetData,
  encodeVirtioAdminCmdCapSetData,
  encodeVirtioAdminCmdDevModeSetData,
  encodeVirtioAdminCmdDevPartsGetData,
  encodeVirtioAdminCmdDevPartsMetadataData,
  encodeVirtioAdminCmdResourceObjCmdHdr,
  encodeVirtioAdminCmdResourceObjCreateData,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_PARTS_SIZE_SIZE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CMD_HDR_SIZE,
  VIRTIO_DEV_PARTS_CAP_SIZE,
  VirtioAdminCmdDevModeFlags,
  VirtioAdminCmdDevPartsGetType,
  VirtioAdminCmdDevPartsMetadataType,
  VirtioAdminCommands,
  VirtioCapId,
  VirtioResourceObjDevPartsType,
  VirtioResourceObjType,
} from "../../../generated/virtio/admin-commands.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { fitted } from "../owner/command.js";
import type { AdminDriver } from "./admin-driver.js";

const C = VirtioAdminCommands;
const { VIRTIO_RESOURCE_OBJ_DEV_PARTS } = VirtioResourceObjType;
const SIZE = VirtioAdminCmdDevPartsMetadataType.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_SIZE;
const NO_DEVICE = VirtioDeviceId.VIRTIO_ID_INVALID;

/** As many as the capability can say. */
const LIMIT = 255;

/** Ids of objects, for all members of an owner together. */
export class ObjectIds {
  private readonly used = new Set<number>();
  private readonly limit: number;

  /** `limit`: what was agreed on (see enableDeviceParts). */
  constructor(limit = LIMIT) {
    this.limit = limit;
  }

  /** @throws RangeError when all are taken. */
  take(): number {
    let id = 0;
    while (this.used.has(id)) id++;
    if (id >= this.limit) throw new RangeError(`${this.limit} objects are all that were agreed on`);
    this.used.add(id);
    return id;
  }

  giveBack(id: number): void {
    this.used.delete(id);
  }
}

/**
 * Says that device parts will be used, once for each owner, and gives how many objects there can be. Ids are of objects for
 * getting and for setting alike, so the smaller one of the two limits is both.
 */
export function enableDeviceParts(admin: AdminDriver): number {
  const self = { memberId: 0, groupType: VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SELF };
  const id = VirtioCapId.VIRTIO_DEV_PARTS_CAP;
  const { result } = admin.execute({
    ...self,
    opcode: C.VIRTIO_ADMIN_CMD_DEVICE_CAP_GET,
    data: encodeVirtioAdminCmdCapGetData({ id }),
    room: VIRTIO_DEV_PARTS_CAP_SIZE,
  });
  const offered = decodeVirtioDevPartsCap(fitted(result, VIRTIO_DEV_PARTS_CAP_SIZE));
  const limit = Math.min(offered.getPartsResourceObjectsLimit, offered.setPartsResourceObjectsLimit);
  const cap = { getPartsResourceObjectsLimit: limit, setPartsResourceObjectsLimit: limit };
  admin.execute({
    ...self,
    opcode: C.VIRTIO_ADMIN_CMD_DRIVER_CAP_SET,
    data: encodeVirtioAdminCmdCapSetData(
      { id, capSpecificData: { common: { case: "devParts", value: cap } } },
      NO_DEVICE,
    ),
  });
  return limit;
}

export class DevicePartsDriver {
  readonly memberId: number;
  private readonly admin: AdminDriver;
  private readonly ids: ObjectIds;
  private getObject: number | undefined;
  private setObject: number | undefined;
  private stopped = false;

  constructor(admin: AdminDriver, memberId: number, ids: ObjectIds) {
    this.admin = admin;
    this.memberId = memberId;
    this.ids = ids;
  }

  /** Objects that the owner keeps for this member now. */
  get openObjects(): number {
    return [this.getObject, this.setObject].filter((id) => id !== undefined).length;
  }

  /** In bytes: what one command can set, all parts together. */
  get largestParts(): number {
    return this.admin.payloadSize - VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CMD_HDR_SIZE;
  }

  /** Stops the device: nothing is in flight afterwards. Stopping a stopped device is no mistake. */
  stop(): void {
    this.setMode(VirtioAdminCmdDevModeFlags.VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED);
  }

  resume(): void {
    this.setMode(0);
  }

  /** The largest size of all parts, in bytes. */
  partsSize(): number {
    const { result } = this.run(
      C.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET,
      encodeVirtioAdminCmdDevPartsMetadataData({ hdr: this.head(this.forGetting()), type: SIZE }),
      VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_PARTS_SIZE_SIZE,
    );
    const { metadata } = decodeVirtioAdminCmdDevPartsMetadataResult(
      fitted(result, VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_PARTS_SIZE_SIZE),
      SIZE,
    );
    return metadata.case === "partsSize" ? metadata.value.size : 0;
  }

  /** All parts, back to back. */
  getParts(): Uint8Array {
    const room = this.partsSize();
    return this.run(
      C.VIRTIO_ADMIN_CMD_DEV_PARTS_GET,
      encodeVirtioAdminCmdDevPartsGetData({
        hdr: this.head(this.forGetting()),
        type: VirtioAdminCmdDevPartsGetType.VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_ALL,
        hdrList: [],
      }),
      room,
    ).result.slice();
  }

  /** Parts, back to back. @throws Error when this driver has not stopped the device; nothing is sent then. */
  setParts(parts: Uint8Array): void {
    if (!this.stopped) throw new Error("the device takes no parts: it is not stopped");
    const head = encodeVirtioAdminCmdResourceObjCmdHdr(this.head(this.forSetting()));
    const data = new Uint8Array(head.length + parts.length);
    data.set(head);
    data.set(parts, head.length);
    this.run(C.VIRTIO_ADMIN_CMD_DEV_PARTS_SET, data);
  }

  /** Gives the objects back. */
  close(): void {
    for (const id of [this.getObject, this.setObject]) {
      if (id === undefined) continue;
      this.run(C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY, encodeVirtioAdminCmdResourceObjCmdHdr(this.head(id)));
      this.ids.giveBack(id);
    }
    this.getObject = undefined;
    this.setObject = undefined;
  }

  private forGetting(): number {
    this.getObject ??= this.create(VirtioResourceObjDevPartsType.VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET);
    return this.getObject;
  }

  private forSetting(): number {
    this.setObject ??= this.create(VirtioResourceObjDevPartsType.VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET);
    return this.setObject;
  }

  private create(type: number): number {
    const id = this.ids.take();
    try {
      this.run(
        C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE,
        encodeVirtioAdminCmdResourceObjCreateData(
          {
            hdr: this.head(id),
            flags: 0n,
            resourceObjSpecificData: { common: { case: "devParts", value: { type } } },
          },
          NO_DEVICE,
        ),
      );
    } catch (error) {
      this.ids.giveBack(id);
      throw error;
    }
    return id;
  }

  private head(id: number): { readonly type: number; readonly id: number } {
    return { type: VIRTIO_RESOURCE_OBJ_DEV_PARTS, id };
  }

  private setMode(flags: number): void {
    this.run(C.VIRTIO_ADMIN_CMD_DEV_MODE_SET, encodeVirtioAdminCmdDevModeSetData({ flags }));
    this.stopped = flags !== 0;
  }

  private run(opcode: number, data: Uint8Array, room = 0): ReturnType<AdminDriver["execute"]> {
    return this.admin.execute({ opcode, memberId: this.memberId, data, room });
  }
}
