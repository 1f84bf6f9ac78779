/** A back-end of a few lines, in this process: it answers as it is told, and can answer wrongly. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { VhostUserFrontendRequest } from "../../../generated/vhost-user/messages.js";
import { type Descriptor, openSystem, type System, type UnixSocket } from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";

export interface Asked {
  readonly request: number;
  readonly flags: number;
  readonly payload: Buffer;
  readonly descriptors: readonly Descriptor[];
}

/** What to send back: undefined for what it says by itself, no bytes for nothing at all. */
export type Answer = (asked: Asked, socket: UnixSocket) => Buffer | undefined;

const { VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES } = VhostUserFrontendRequest;

/** VERSION_1 and F_PROTOCOL_FEATURES. */
const FEATURES = (1n << 32n) | (1n << 30n);
const NEED_REPLY = 8;

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function message(request: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(request, 0);
  head.writeUInt32LE(flags, 4);
  head.writeUInt32LE(payload.length, 8);
  return Buffer.concat([head, payload]);
}

/** Version 1, and a reply. */
export function reply({ request }: Asked, payload: Buffer): Buffer {
  return message(request, 5, payload);
}

/** Where it listens, and what it was asked. `answer` comes before what it says by itself. */
export async function scriptedBackend(
  protocolFeatures: bigint,
  answer: Answer = () => undefined,
): Promise<{ readonly path: string; readonly asked: Asked[]; readonly system: System }> {
  const system = await openSystem();
  onTestFinished(() => system.close());
  const path = join(temporaryFolder(), "backend.sock");
  const listener = system.listen(path);
  const asked: Asked[] = [];
  listener.watch("readable", () => {
    const socket = listener.accept(system);
    socket?.watch("readable", () => {
      while (socket.isOpen) {
        const head = socket.receive(12);
        if (head === undefined) return;
        if (head.bytes.length === 0) {
          socket.close();
          return;
        }
        const header = Buffer.from(head.bytes);
        const size = header.readUInt32LE(8);
        const payload = Buffer.from(size === 0 ? [] : (socket.receive(size)?.bytes ?? []));
        const one = {
          request: header.readUInt32LE(0),
          flags: header.readUInt32LE(4),
          payload,
          descriptors: head.descriptors,
        };
        asked.push(one);
        const bytes = answer(one, socket) ?? usual(one, protocolFeatures);
        if (bytes !== undefined && bytes.length > 0 && socket.isOpen) socket.send(bytes);
      }
    });
  });
  return { path, asked, system };
}

function usual(asked: Asked, protocolFeatures: bigint): Buffer | undefined {
  if (asked.request === VHOST_USER_GET_FEATURES) return reply(asked, u64(FEATURES));
  if (asked.request === VHOST_USER_GET_PROTOCOL_FEATURES) return reply(asked, u64(protocolFeatures));
  return (asked.flags & NEED_REPLY) === 0 ? undefined : reply(asked, u64(0n));
}

/** Writes all of it, then closes. */
export async function writeAll(pipe: Descriptor, bytes: Uint8Array): Promise<void> {
  pipe.setNonBlocking();
  for (let at = 0; at < bytes.length; ) {
    const length = pipe.write(bytes.subarray(at));
    if (length === undefined) await pipe.ready("writable");
    else at += length;
  }
  pipe.close();
}
