/** The checksum of IPv4 headers and ICMP messages. @source RFC 1071, RFC 1624 */

/** The ones' complement sum of 16-bit words; 0xffff over bytes that hold their own checksum. `length` is even. */
export function onesComplementSum(view: DataView, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i += Uint16Array.BYTES_PER_ELEMENT) sum += view.getUint16(at + i);
  return folded(sum);
}

/** A checksum after one of the words that it covers has changed. What was wrong with it before is wrong still. */
export function checksumAfter(checksum: number, before: number, after: number): number {
  return ~folded((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

function folded(sum: number): number {
  let left = sum;
  while (left > 0xffff) left = (left & 0xffff) + (left >>> 16);
  return left;
}
