/**
 * The resource objects through which the parts of a member are got and set, and the capability that limits them.
 * @source virtio 1.4, VIRTIO_RESOURCE_OBJ_DEV_PARTS, VIRTIO_DEV_PARTS_CAP (admin-cmds-device-parts.tex); Device resource
 *   objects (admin-cmds-resource-objects.tex)
 */
import type { VirtioDevPartsCap } from "../../../generated/virtio/admin-commands.js";
import { VirtioResourceObjDevPartsType } from "../../../generated/virtio/admin-commands.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import { invalidField, noSpace, resourceBusy, resourceExists, unknownResource } from "./admin-error.js";

const { VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET, VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET } =
  VirtioResourceObjDevPartsType;

/** As many objects of each type as the capability can say. */
const LIMIT = 255;

export class DevicePartsObjects {
  /** What the owner can do at most. */
  readonly deviceCap: VirtioDevPartsCap = {
    getPartsResourceObjectsLimit: LIMIT,
    setPartsResourceObjectsLimit: LIMIT,
  };
  /** What its driver has asked for: nothing before it has. */
  private driverCap: VirtioDevPartsCap = NONE;
  /** Types by id. Ids are counted for all members together, as Linux does. */
  private objects = new Map<number, { readonly type: number; readonly member: VirtioDevice }>();

  reset(): void {
    this.driverCap = NONE;
    this.objects = new Map();
  }

  /** @throws AdminError */
  limit(cap: VirtioDevPartsCap): void {
    if (
      cap.getPartsResourceObjectsLimit > this.deviceCap.getPartsResourceObjectsLimit ||
      cap.setPartsResourceObjectsLimit > this.deviceCap.setPartsResourceObjectsLimit
    ) {
      throw invalidField("more objects than the device has");
    }
    if (
      cap.getPartsResourceObjectsLimit < this.count(VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET) ||
      cap.setPartsResourceObjectsLimit < this.count(VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET)
    ) {
      throw resourceBusy("there are objects that would be beyond the limit");
    }
    this.driverCap = cap;
  }

  /** @throws AdminError */
  create(member: VirtioDevice, id: number, type: number): void {
    if (this.objects.has(id)) throw resourceExists(`object ${id} exists`);
    const limits: ReadonlyMap<number, number> = new Map([
      [VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET as number, this.driverCap.getPartsResourceObjectsLimit],
      [VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET, this.driverCap.setPartsResourceObjectsLimit],
    ]);
    const limit = limits.get(type);
    if (limit === undefined) throw invalidField(`an object of type ${type}`);
    if (this.count(type) >= limit) throw noSpace(`${limit} objects of type ${type} are all`);
    this.objects.set(id, { type, member });
  }

  /** The type of an object. @throws AdminError when there is none. */
  typeOf(member: VirtioDevice, id: number): number {
    const object = this.objects.get(id);
    if (object === undefined || object.member !== member) throw unknownResource(`no object ${id}`);
    return object.type;
  }

  /** @throws AdminError */
  modify(member: VirtioDevice, id: number, type: number): void {
    const before = this.typeOf(member, id);
    this.objects.delete(id);
    try {
      this.create(member, id, type);
    } catch (error) {
      this.objects.set(id, { type: before, member });
      throw error;
    }
  }

  /** @throws AdminError when there is none. */
  destroy(member: VirtioDevice, id: number): void {
    this.typeOf(member, id);
    this.objects.delete(id);
  }

  private count(type: number): number {
    return [...this.objects.values()].filter((object) => object.type === type).length;
  }
}

const NONE: VirtioDevPartsCap = { getPartsResourceObjectsLimit: 0, setPartsResourceObjectsLimit: 0 };
