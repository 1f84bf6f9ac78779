/** The state of a back-end through a pipe: out of the one at the source, into the one at the destination. */
import { VhostDeviceStateDirection, VhostDeviceStatePhase } from "../../../generated/vhost-user/messages.js";
import type { Descriptor, System } from "../system/index.js";
import { RefusedError } from "./connection.js";
import type { Requests } from "./requester.js";

const { VHOST_TRANSFER_STATE_DIRECTION_SAVE, VHOST_TRANSFER_STATE_DIRECTION_LOAD } =
  VhostDeviceStateDirection;
const { VHOST_TRANSFER_STATE_PHASE_STOPPED } = VhostDeviceStatePhase;

const CHUNK = 64 * 1024;

/**
 * The state, to its end. All rings have to be stopped.
 * @throws RefusedError, also when the back-end finds afterwards that it could not save; RangeError for more than `limit`
 *   bytes; DisconnectedError
 */
export async function saveState(system: System, requests: Requests, limit: number): Promise<Uint8Array> {
  const [reading, writing] = system.pipe();
  const from = await begin(requests, VHOST_TRANSFER_STATE_DIRECTION_SAVE, writing, reading);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const chunk = new Uint8Array(CHUNK);
  try {
    while (true) {
      const length = from.read(chunk);
      if (length === 0) break;
      if (length === undefined) {
        await from.ready("readable");
        continue;
      }
      size += length;
      if (size > limit) throw new RangeError(`the back-end's state is larger than ${limit} bytes`);
      chunks.push(chunk.slice(0, length));
    }
  } finally {
    from.close();
  }
  await check(requests);
  return joined(chunks, size);
}

/**
 * Gives a state to a back-end whose rings are stopped.
 * @throws RefusedError when the back-end does not take it; DisconnectedError
 */
export async function loadState(system: System, requests: Requests, state: Uint8Array): Promise<void> {
  const [reading, writing] = system.pipe();
  const into = await begin(requests, VHOST_TRANSFER_STATE_DIRECTION_LOAD, reading, writing);
  try {
    for (let at = 0; at < state.length; ) {
      const length = into.write(state.subarray(at, at + CHUNK));
      if (length === undefined) await into.ready("writable");
      else at += length;
    }
  } catch {
    // A back-end that reads no further has a reason, and gives it when it is asked.
  } finally {
    into.close();
  }
  await check(requests);
}

/** Gives the end that is ours: of the pipe that was offered, or of what the back-end has in its place. */
async function begin(
  requests: Requests,
  direction: VhostDeviceStateDirection,
  theirs: Descriptor,
  ours: Descriptor,
): Promise<Descriptor> {
  // virtiofsd takes what is not there yet for an error.
  theirs.setBlocking();
  const value = { direction, phase: VHOST_TRANSFER_STATE_PHASE_STOPPED };
  const [{ error, nofd }, came] = await requests
    .askForDescriptors({ case: "vhostUserSetDeviceStateFd", value }, [theirs])
    .finally(() => theirs.close());
  const [given, ...others] = came;
  for (const other of others) other.close();
  if (error !== 0) {
    ours.close();
    given?.close();
    throw new RefusedError("vhostUserSetDeviceStateFd", BigInt(error));
  }
  const end = nofd === 0 && given !== undefined ? given : ours;
  (end === ours ? given : ours)?.close();
  end.setNonBlocking();
  return end;
}

async function check(requests: Requests): Promise<void> {
  const { value } = await requests.ask({ case: "vhostUserCheckDeviceState", value: undefined });
  if (value !== 0n) throw new RefusedError("vhostUserCheckDeviceState", value);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
