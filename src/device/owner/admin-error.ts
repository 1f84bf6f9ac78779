/** Why a group administration command fails: a status, and what exactly was wrong. */
import { VirtioAdminStatus, VirtioAdminStatusQualifier } from "../../../generated/virtio/admin.js";

const {
  VIRTIO_ADMIN_STATUS_EINVAL,
  VIRTIO_ADMIN_STATUS_ENXIO,
  VIRTIO_ADMIN_STATUS_ENOMEM,
  VIRTIO_ADMIN_STATUS_EBUSY,
  VIRTIO_ADMIN_STATUS_EEXIST,
  VIRTIO_ADMIN_STATUS_ENOSPC,
} = VirtioAdminStatus;
const {
  VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND,
  VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE,
  VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD,
  VIRTIO_ADMIN_STATUS_Q_INVALID_GROUP,
  VIRTIO_ADMIN_STATUS_Q_INVALID_MEMBER,
  VIRTIO_ADMIN_STATUS_Q_NORESOURCE,
} = VirtioAdminStatusQualifier;

/** The device's state is as it was before the command. */
export class AdminError extends Error {
  readonly status: VirtioAdminStatus;
  readonly qualifier: VirtioAdminStatusQualifier;

  constructor(status: VirtioAdminStatus, qualifier: VirtioAdminStatusQualifier, message: string) {
    super(message);
    this.name = "AdminError";
    this.status = status;
    this.qualifier = qualifier;
  }
}

/** The command cannot be carried out now, whatever it says. */
export function invalidCommand(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND, message);
}

export function invalidOpcode(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE, message);
}

export function invalidField(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD, message);
}

export function invalidGroup(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_GROUP, message);
}

export function invalidMember(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_MEMBER, message);
}

/** There is no such capability or object. */
export function unknownResource(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_ENXIO, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD, message);
}

export function resourceExists(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EEXIST, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD, message);
}

export function resourceBusy(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_EBUSY, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND, message);
}

/** As many objects as there may be. */
export function noSpace(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_ENOSPC, VIRTIO_ADMIN_STATUS_Q_NORESOURCE, message);
}

/** The driver has given too little room for the result. */
export function noRoom(message: string): AdminError {
  return new AdminError(VIRTIO_ADMIN_STATUS_ENOMEM, VIRTIO_ADMIN_STATUS_Q_NORESOURCE, message);
}
