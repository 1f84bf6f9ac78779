/** Frames byte by byte from the RFCs, with a checksum of their own: what the device and its responder are held against. */

export const GUEST_MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);
export const HOST_MAC = Uint8Array.of(0x52, 0x55, 0x0a, 0x00, 0x00, 0x01);
export const BROADCAST = new Uint8Array(6).fill(0xff);
export const GUEST_ADDRESS = 0x0a000002;
export const HOST_ADDRESS = 0x0a000001;

/** RFC 1071: the ones' complement of the ones' complement sum, of any number of bytes. */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  bytes.forEach((byte, i) => {
    sum += i % 2 === 0 ? byte * 256 : byte;
  });
  return 0xffff - (sum === 0 ? 0 : ((sum - 1) % 0xffff) + 1);
}

function word(value: number): number[] {
  return [value >>> 8, value & 0xff];
}

function quad(value: number): number[] {
  return [...word(value >>> 16), ...word(value & 0xffff)];
}

export interface Ping {
  readonly to?: Uint8Array;
  readonly from?: Uint8Array;
  readonly source?: number;
  readonly destination?: number;
  readonly sequence?: number;
  readonly data?: readonly number[];
  /** 8 asks, 0 answers. */
  readonly type?: number;
  /** IPv4 options: whole words. */
  readonly options?: readonly number[];
  /** Of a tagged frame. */
  readonly vlan?: number;
  /** Flags and offset of a fragment. */
  readonly fragment?: number;
}

export function ping(wanted: Ping = {}): Uint8Array {
  const {
    to = HOST_MAC,
    from = GUEST_MAC,
    source = GUEST_ADDRESS,
    destination = HOST_ADDRESS,
    sequence = 1,
    data = Array.from({ length: 56 }, (_, i) => i),
    type = 8,
    options = [],
    vlan,
    fragment = 0,
  } = wanted;
  const message = [type, 0, 0, 0, ...word(0x1234), ...word(sequence), ...data];
  message.splice(2, 2, ...word(checksum(message)));
  const ihl = 5 + options.length / 4;
  const header = [
    0x40 | ihl,
    0,
    ...word(ihl * 4 + message.length),
    ...word(sequence),
    ...word(fragment),
    64,
    1,
    0,
    0,
    ...quad(source),
    ...quad(destination),
    ...options,
  ];
  header.splice(10, 2, ...word(checksum(header)));
  const tag = vlan === undefined ? [] : [0x81, 0x00, ...word(vlan)];
  return Uint8Array.from([...to, ...from, ...tag, 0x08, 0x00, ...header, ...message]);
}

export function pong(wanted: Ping = {}): Uint8Array {
  return ping({
    to: GUEST_MAC,
    from: HOST_MAC,
    source: HOST_ADDRESS,
    destination: GUEST_ADDRESS,
    type: 0,
    ...wanted,
  });
}

/** An ARP packet of 28 bytes behind its header, padded to 60. `type`: 0x0806, or 0x8035 for RARP. */
export function arp(
  operation: number,
  sender: readonly [Uint8Array, number],
  target: readonly [Uint8Array, number],
  { to = BROADCAST, type = 0x0806 }: { readonly to?: Uint8Array; readonly type?: number } = {},
): Uint8Array {
  const packet = [0, 1, 8, 0, 6, 4, ...word(operation), ...sender[0], ...quad(sender[1])];
  const frame = [...to, ...sender[0], ...word(type), ...packet, ...target[0], ...quad(target[1])];
  return Uint8Array.from([...frame, ...new Array(60 - frame.length).fill(0)]);
}
