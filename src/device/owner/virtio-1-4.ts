/**
 * The administration commands of virtio 1.4: those that migrate a device, capabilities, resource objects, device parts and
 * mode; and, where the owner offers it, the legacy interface of members.
 * @source virtio 1.4, admin-cmds-capabilities.tex, admin-cmds-resource-objects.tex, admin-cmds-device-parts.tex
 */
import {
  decodeVirtioAdminCmdCapGetData,
  decodeVirtioAdminCmdDevModeSetData,
  decodeVirtioAdminCmdDevPartsMetadataData,
  decodeVirtioAdminCmdResourceObjCmdHdr,
  encodeVirtioAdminCmdDevPartsMetadataResult,
  encodeVirtioAdminCmdQueryCapIdResult,
  encodeVirtioDevPartsCap,
  encodeVirtioResourceObjDevParts,
  readVirtioAdminCmdCapSetData,
  readVirtioAdminCmdDevPartsGetData,
  readVirtioAdminCmdResourceModifyData,
  readVirtioAdminCmdResourceObjCreateData,
  VIRTIO_ADMIN_CMD_CAP_GET_DATA_SIZE,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET_DATA_SIZE,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_DATA_SIZE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CMD_HDR_SIZE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY_DATA_SIZE,
  VIRTIO_DEV_PARTS_CAP_SIZE,
  VIRTIO_RESOURCE_OBJ_DEV_PARTS_SIZE,
  VirtioAdminCmdDevModeFlags,
  VirtioAdminCmdDevPartsGetType,
  type VirtioAdminCmdDevPartsMetadataResultMetadata,
  VirtioAdminCmdDevPartsMetadataType,
  type VirtioAdminCmdResourceObjCmdHdr,
  VirtioAdminCommands,
  VirtioCapId,
  VirtioResourceObjDevPartsType,
  type VirtioResourceObjSpecificData,
  VirtioResourceObjType,
} from "../../../generated/virtio/admin-commands.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Reader } from "../../runtime/index.js";
import type { EncodedPart } from "../formats/device-parts.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import { invalidCommand, invalidField, noRoom, unknownResource } from "./admin-error.js";
import {
  type Answer,
  type CommandInput,
  type CommandProfile,
  fitted,
  type MemberCommand,
  type OwnerCommand,
} from "./command.js";
import { DevicePartsTransfer } from "./device-parts-transfer.js";
import { type LegacyOptions, legacyCommands } from "./legacy-access.js";
import { DevicePartsObjects } from "./resource-objects.js";

const C = VirtioAdminCommands;
const { VIRTIO_DEV_PARTS_CAP } = VirtioCapId;
const { VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED } = VirtioAdminCmdDevModeFlags;
const { VIRTIO_RESOURCE_OBJ_DEV_PARTS } = VirtioResourceObjType;
const { VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET, VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET } =
  VirtioResourceObjDevPartsType;
/** Capabilities and objects of device types are not offered, so what they look like does not matter. */
const NO_DEVICE = VirtioDeviceId.VIRTIO_ID_INVALID;

export interface Virtio14Options {
  /** Offer the legacy interface of the members. */
  readonly legacy?: LegacyOptions;
}

export class Virtio14Profile implements CommandProfile {
  readonly name = "virtio-1.4";
  readonly memberCommands: readonly MemberCommand[];
  readonly ownerCommands: readonly OwnerCommand[];
  private readonly objects = new DevicePartsObjects();
  private transfers = new Map<VirtioDevice, DevicePartsTransfer>();

  constructor({ legacy }: Virtio14Options = {}) {
    const command = (
      opcode: number,
      run: (member: VirtioDevice, input: CommandInput) => Answer,
      waits = false,
    ): MemberCommand => ({ opcode, waits, run });
    this.memberCommands = [
      ...(legacy === undefined ? [] : legacyCommands(legacy)),
      command(C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE, (member, input) => this.create(member, input)),
      command(C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_MODIFY, (member, input) => this.modify(member, input)),
      command(C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY, (member, input) => this.query(member, input)),
      command(C.VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY, (member, input) => this.destroy(member, input)),
      command(C.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET, (member, input) => this.metadata(member, input)),
      command(C.VIRTIO_ADMIN_CMD_DEV_PARTS_GET, (member, input) => this.getParts(member, input)),
      command(C.VIRTIO_ADMIN_CMD_DEV_PARTS_SET, (member, input) => this.setParts(member, input), true),
      {
        // Everything that the device has seen is given back: parts have no place for buffers in flight.
        ...command(C.VIRTIO_ADMIN_CMD_DEV_MODE_SET, (member, input) => this.setMode(member, input), true),
        settle: (member: VirtioDevice, data: Uint8Array) => {
          if (modeFlagsOf(data) === VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED) member.finish();
        },
      },
    ];
    this.ownerCommands = [
      { opcode: C.VIRTIO_ADMIN_CMD_CAP_ID_LIST_QUERY, run: () => capabilityList() },
      { opcode: C.VIRTIO_ADMIN_CMD_DEVICE_CAP_GET, run: (input) => this.getCapability(input) },
      { opcode: C.VIRTIO_ADMIN_CMD_DRIVER_CAP_SET, run: (input) => this.setCapability(input) },
    ];
  }

  reset(): void {
    this.objects.reset();
    this.transfers = new Map();
  }

  private of(member: VirtioDevice): DevicePartsTransfer {
    let transfer = this.transfers.get(member);
    if (transfer === undefined) {
      transfer = new DevicePartsTransfer(member);
      this.transfers.set(member, transfer);
    }
    return transfer;
  }

  private getCapability({ data }: CommandInput): Answer {
    const { id } = decodeVirtioAdminCmdCapGetData(fitted(data, VIRTIO_ADMIN_CMD_CAP_GET_DATA_SIZE));
    if (id !== VIRTIO_DEV_PARTS_CAP) throw unknownResource(`capability ${id}`);
    return { result: encodeVirtioDevPartsCap(this.objects.deviceCap) };
  }

  private setCapability({ data }: CommandInput): Answer {
    const { id } = decodeVirtioAdminCmdCapGetData(fitted(data, VIRTIO_ADMIN_CMD_CAP_GET_DATA_SIZE));
    if (id !== VIRTIO_DEV_PARTS_CAP) throw unknownResource(`capability ${id}`);
    const whole = fitted(
      data,
      Math.max(data.length, VIRTIO_ADMIN_CMD_CAP_GET_DATA_SIZE + VIRTIO_DEV_PARTS_CAP_SIZE),
    );
    const { common } = readVirtioAdminCmdCapSetData(new Reader(whole), NO_DEVICE).capSpecificData;
    if (common?.case !== "devParts") throw invalidField("not what the capability is made of");
    this.objects.limit(common.value);
    return {};
  }

  private create(member: VirtioDevice, { data }: CommandInput): Answer {
    checkType(headOf(data));
    const { hdr, resourceObjSpecificData } = readVirtioAdminCmdResourceObjCreateData(
      new Reader(fitted(data, OBJECT_DATA_SIZE)),
      NO_DEVICE,
    );
    this.objects.create(member, hdr.id, purposeOf(resourceObjSpecificData));
    return {};
  }

  private modify(member: VirtioDevice, { data }: CommandInput): Answer {
    checkType(headOf(data));
    const { hdr, resourceObjSpecificData } = readVirtioAdminCmdResourceModifyData(
      new Reader(fitted(data, OBJECT_DATA_SIZE)),
      NO_DEVICE,
    );
    this.objects.modify(member, hdr.id, purposeOf(resourceObjSpecificData));
    return {};
  }

  private query(member: VirtioDevice, { data }: CommandInput): Answer {
    const { id } = checkType(headOf(data));
    return { result: encodeVirtioResourceObjDevParts({ type: this.objects.typeOf(member, id) }) };
  }

  private destroy(member: VirtioDevice, { data }: CommandInput): Answer {
    this.objects.destroy(member, checkType(headOf(data)).id);
    return {};
  }

  private metadata(member: VirtioDevice, { data, room }: CommandInput): Answer {
    const { hdr, type } = decodeVirtioAdminCmdDevPartsMetadataData(
      fitted(data, VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_DATA_SIZE),
    );
    this.checkPurpose(member, hdr, VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET);
    const transfer = this.of(member);
    const result = encodeVirtioAdminCmdDevPartsMetadataResult({ metadata: metadataOf(transfer, type) }, type);
    if (result.length > room) throw noRoom(`${result.length} bytes, there is room for ${room}`);
    return { result };
  }

  private getParts(member: VirtioDevice, { data, room }: CommandInput): Answer {
    const whole = fitted(data, Math.max(data.length, VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_DATA_SIZE));
    const { hdr, type, hdrList } = readVirtioAdminCmdDevPartsGetData(new Reader(whole));
    this.checkPurpose(member, hdr, VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET);
    const transfer = this.of(member);
    let parts: readonly EncodedPart[];
    if (type === VirtioAdminCmdDevPartsGetType.VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_ALL)
      parts = transfer.all();
    else if (type === VirtioAdminCmdDevPartsGetType.VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_SELECTED) {
      parts = transfer.selected(hdrList);
    } else throw invalidField(`type ${type}`);
    const result = concatenated(parts);
    if (result.length > room) throw noRoom(`${result.length} bytes of parts, there is room for ${room}`);
    return { result };
  }

  private setParts(member: VirtioDevice, { data }: CommandInput): Answer {
    this.checkPurpose(member, headOf(data), VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET);
    if (member.mode !== "stop") throw invalidCommand("the device is not stopped");
    this.of(member).set(data);
    return {};
  }

  private setMode(member: VirtioDevice, { data }: CommandInput): Answer {
    const flags = modeFlagsOf(data);
    if ((flags & ~VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED) !== 0) {
      throw invalidField(`flags 0x${flags.toString(16)}`);
    }
    if (flags !== 0) {
      member.setMode("stop");
      return {};
    }
    const state = this.of(member).takePending();
    if (state !== undefined) member.restore(state);
    member.setMode("active");
    return {};
  }

  /** An object must be there, and be made for this. */
  private checkPurpose(member: VirtioDevice, hdr: VirtioAdminCmdResourceObjCmdHdr, purpose: number): void {
    checkType(hdr);
    if (this.objects.typeOf(member, hdr.id) !== purpose) {
      throw invalidField(`object ${hdr.id} is of the other type`);
    }
  }
}

/** A create or modify command with what an object for parts is made of. */
const OBJECT_DATA_SIZE = VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY_DATA_SIZE + VIRTIO_RESOURCE_OBJ_DEV_PARTS_SIZE;

function modeFlagsOf(data: Uint8Array): number {
  return decodeVirtioAdminCmdDevModeSetData(fitted(data, VIRTIO_ADMIN_CMD_DEV_MODE_SET_DATA_SIZE)).flags;
}

function headOf(data: Uint8Array): VirtioAdminCmdResourceObjCmdHdr {
  return decodeVirtioAdminCmdResourceObjCmdHdr(fitted(data, VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CMD_HDR_SIZE));
}

/** @throws AdminError for objects of another type: there are none. */
function checkType(hdr: VirtioAdminCmdResourceObjCmdHdr): VirtioAdminCmdResourceObjCmdHdr {
  if (hdr.type !== VIRTIO_RESOURCE_OBJ_DEV_PARTS) throw invalidField(`an object of type ${hdr.type}`);
  return hdr;
}

function purposeOf({ common }: VirtioResourceObjSpecificData): number {
  if (common?.case !== "devParts") throw invalidField("not what the object is made of");
  return common.value.type;
}

function capabilityList(): Answer {
  return {
    result: encodeVirtioAdminCmdQueryCapIdResult({ supportedCaps: [1n << BigInt(VIRTIO_DEV_PARTS_CAP)] }),
  };
}

function metadataOf(
  transfer: DevicePartsTransfer,
  type: number,
): VirtioAdminCmdDevPartsMetadataResultMetadata {
  switch (type) {
    case VirtioAdminCmdDevPartsMetadataType.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_SIZE:
      return { case: "partsSize", value: { size: concatenated(transfer.all()).length } };
    case VirtioAdminCmdDevPartsMetadataType.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_COUNT:
      return { case: "hdrListCount", value: { count: transfer.all().length } };
    case VirtioAdminCmdDevPartsMetadataType.VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_LIST:
      return { case: "hdrList", value: { hdrs: transfer.headers() } };
    default:
      throw invalidField(`type ${type}`);
  }
}

function concatenated(parts: readonly EncodedPart[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, { bytes }) => size + bytes.length, 0));
  let at = 0;
  for (const { bytes } of parts) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
