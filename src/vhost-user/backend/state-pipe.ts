/**
 * The device's state on its way through a pipe: the internal state of a device type that has one, in that type's format,
 * because the front-end moves everything else; of others a draft device context, the same bytes that the administration
 * command gives. Both ways take as long as the other side likes, and the device goes on meanwhile.
 */
import { decodeVirtioDevCtx } from "../../../generated/virtio/device-context.js";
import { DeviceContextReader, type DeviceState, writeDeviceContext } from "../../device/index.js";
import { WireError } from "../../runtime/index.js";
import type { Descriptor } from "../system/index.js";

/** More than any device's; what a front-end may make this process hold. @unit bytes */
const MAX_STATE = 64 * 1024 * 1024;
const PIECE = 64 * 1024;

/** Writes to the end, and closes. @throws SystemCallError, e.g. EPIPE when the other side has gone */
export async function writeState(descriptor: Descriptor, state: DeviceState): Promise<Uint8Array> {
  try {
    const bytes = state.internal ?? writeDeviceContext(state);
    descriptor.setNonBlocking();
    for (let at = 0; at < bytes.length; ) {
      const written = descriptor.write(bytes.subarray(at, at + PIECE));
      if (written === undefined) await descriptor.ready("writable");
      else at += written;
    }
    return bytes;
  } finally {
    descriptor.close();
  }
}

/** What was read, and what it means. */
interface ReadState {
  readonly bytes: Uint8Array;
  readonly state: DeviceState;
}

/**
 * Reads to the end, and closes. What the bytes leave out is as in `base`.
 * @throws RangeError when the bytes are no whole context, or not one for this device; SystemCallError
 */
export async function readState(descriptor: Descriptor, base: DeviceState): Promise<ReadState> {
  try {
    descriptor.setNonBlocking();
    const bytes = await readAll(descriptor);
    return {
      bytes,
      state: base.internal === undefined ? decodeState(bytes, base) : { ...base, internal: bytes },
    };
  } finally {
    descriptor.close();
  }
}

async function readAll(descriptor: Descriptor): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const piece = new Uint8Array(PIECE);
  for (let size = 0; ; ) {
    const length = descriptor.read(piece);
    if (length === undefined) await descriptor.ready("readable");
    else if (length === 0) return Buffer.concat(pieces, size);
    else {
      size += length;
      if (size > MAX_STATE) throw new RangeError(`a state of more than ${MAX_STATE} bytes`);
      pieces.push(piece.slice(0, length));
    }
  }
}

/** @throws RangeError */
function decodeState(bytes: Uint8Array, base: DeviceState): DeviceState {
  const reader = new DeviceContextReader(base);
  try {
    for (const field of decodeVirtioDevCtx(bytes, base.deviceType).fields) reader.take(field);
  } catch (error) {
    if (error instanceof WireError)
      throw new RangeError(`the state is damaged: ${error.message}`, { cause: error });
    throw error;
  }
  return reader.result;
}
