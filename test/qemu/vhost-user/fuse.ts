/** Requests of FUSE as bytes, for a guest without a kernel. @source linux/fuse.h, version 7.31 */

const IN_HEADER = 40;
const OUT_HEADER = 16;

export const ROOT = 1n;

interface FuseReply {
  readonly error: number;
  readonly body: Buffer;
}

let unique = 1n;

/** `room`: for the body of the reply. */
export interface FuseRequest {
  readonly bytes: Buffer;
  readonly room: number;
}

function request(opcode: number, node: bigint, body: Buffer, room: number): FuseRequest {
  const head = Buffer.alloc(IN_HEADER);
  head.writeUInt32LE(IN_HEADER + body.length, 0);
  head.writeUInt32LE(opcode, 4);
  head.writeBigUInt64LE(unique++, 8);
  head.writeBigUInt64LE(node, 16);
  return { bytes: Buffer.concat([head, body]), room: OUT_HEADER + room };
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value, i * 4);
  });
  return bytes;
}

function quads(...values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => {
    bytes.writeBigUInt64LE(value, i * 8);
  });
  return bytes;
}

/** fuse_init_in: major, minor, max_readahead, flags. */
export function init(): FuseRequest {
  return request(26, 0n, words(7, 31, 0x20000, 0), 64);
}

/** The reply begins with the node's id. */
export function lookup(parent: bigint, name: string): FuseRequest {
  return request(1, parent, Buffer.from(`${name}\0`), 128);
}

/** The reply begins with the file's handle. */
export function open(node: bigint): FuseRequest {
  return request(14, node, words(0, 0), 16);
}

/** fuse_read_in: fh, offset, size, read_flags, lock_owner, flags, padding. */
export function read(node: bigint, handle: bigint, offset: bigint, size: number): FuseRequest {
  const body = Buffer.concat([quads(handle, offset), words(size, 0), quads(0n), words(0, 0)]);
  return request(15, node, body, size);
}

/** fuse_out_header: len, error, unique. */
export function replyIn(bytes: Uint8Array): FuseReply {
  const reply = Buffer.from(bytes);
  return { error: reply.readInt32LE(4), body: reply.subarray(OUT_HEADER, reply.readUInt32LE(0)) };
}
