/** Tells the byte order of the machine on which a conversation was recorded. */
import {
  checkVhostUserHeader,
  decodeVhostUserHeader,
  VHOST_USER_HEADER_SIZE,
  type VhostUserHeader,
} from "../../../generated/vhost-user/messages.js";

/** True for little-endian; undefined when the bytes are a sound header in neither order. */
export function orderOfHeader(header: Uint8Array): boolean | undefined {
  return [true, false].find((littleEndian) => soundHeader(header, littleEndian) !== undefined);
}

/** A header of the version that there is, with nothing in its reserved bits. */
export function soundHeader(bytes: Uint8Array, littleEndian: boolean): VhostUserHeader | undefined {
  if (checkVhostUserHeader(bytes, littleEndian) !== undefined) return undefined;
  const header = decodeVhostUserHeader(bytes, littleEndian);
  return header.version === 1 && (header.reserved ?? 0) === 0 ? header : undefined;
}

/** The header that bytes begin with, in whichever order it is sound; undefined when they begin with none. */
export function headerIn(bytes: Uint8Array): VhostUserHeader | undefined {
  const header = bytes.subarray(0, VHOST_USER_HEADER_SIZE);
  const order = orderOfHeader(header);
  return order === undefined ? undefined : soundHeader(header, order);
}
