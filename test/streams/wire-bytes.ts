/** Bytes of the wire written down by hand from the layouts in the specifications: what our own encoders must not be asked. */

export function bytes(...parts: (number | readonly number[] | Uint8Array | string)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => {
      if (typeof part === "number") return [part];
      if (typeof part === "string") return [...part].map((character) => character.charCodeAt(0));
      return [...part];
    }),
  );
}

export function le(size: number, value: number | bigint): number[] {
  const rest = BigInt.asUintN(size * 8, BigInt(value));
  return Array.from({ length: size }, (_, i) => Number((rest >> BigInt(8 * i)) & 0xffn));
}

export function be(size: number, value: number | bigint): number[] {
  return le(size, value).reverse();
}

/** virtio_dev_ctx_field_tlv: le16 type, 6 reserved bytes, le64 length, value. */
export function tlv(type: number, value: readonly number[]): number[] {
  return [...le(2, type), 0, 0, 0, 0, 0, 0, ...le(8, value.length), ...value];
}

/** A context with one field of each kind that a net device has (draft v2, device-context.tex). */
export function deviceContext(): { readonly bytes: Uint8Array; readonly fieldOffsets: readonly number[] } {
  const fields = [
    tlv(0x0001, le(8, 0x130013fffn)),
    // vq_index, queue_size, queue_msix_vector, desc, driver, device: 30 bytes.
    tlv(0x0002, [
      ...le(2, 0),
      ...le(2, 256),
      ...le(2, 1),
      ...le(8, 0x1000),
      ...le(8, 0x2000),
      ...le(8, 0x3000),
    ]),
    // vq_index, dev_avail_idx, enabled: 5 bytes.
    tlv(0x0003, [...le(2, 0), ...le(2, 7), 1]),
    tlv(0x0004, [...le(2, 0), ...le(2, 3), ...le(2, 3), ...le(2, 5), ...le(2, 9)]),
    tlv(0x2001, [1, 2, 3]),
  ];
  const offsets: number[] = [];
  let at = 4;
  for (const field of fields) {
    offsets.push(at);
    at += field.length;
  }
  return { bytes: bytes(le(4, fields.length), ...fields), fieldOffsets: offsets };
}

/** virtio_dev_part: le16 part_type, u8 flags, u8 reserved, u8 selector[8], le32 length, value. */
function part(type: number, flags: number, selector: readonly number[], value: readonly number[]): number[] {
  return [...le(2, type), flags, 0, ...selector, ...le(4, value.length), ...value];
}

const NO_SELECTOR = [0, 0, 0, 0, 0, 0, 0, 0];

/** The parts of a small device (virtio 1.4, device-parts.tex). */
export function deviceParts(): number[][] {
  return [
    part(0x100, 1, NO_SELECTOR, le(8, 0x130013fffn)),
    part(0x101, 0, NO_SELECTOR, le(8, 0x100000000n)),
    // The field at offset 18 of the PCI common configuration: num_queues.
    part(0x102, 0, [...le(4, 18), 0, 0, 0, 0], le(2, 3)),
    part(0x103, 0, NO_SELECTOR, [0x0f]),
    part(
      0x104,
      0,
      [...le(2, 1), 0, 0, 0, 0, 0, 0],
      [
        ...le(2, 256),
        ...le(2, 2),
        ...le(2, 1),
        ...le(2, 0),
        ...le(8, 0x1000),
        ...le(8, 0x2000),
        ...le(8, 0x3000),
      ],
    ),
    part(0x105, 0, [...le(2, 1), 0, 0, 0, 0, 0, 0], [...le(2, 1), ...le(2, 0), 0, 0, 0, 0]),
  ];
}

/** virtiovf_migration_header: le64 record_size, le32 flags, le32 tag; then the record. */
export function vfioRecordBytes(flags: number, tag: number, data: readonly number[]): number[] {
  return [...le(8, data.length), ...le(4, flags), ...le(4, tag), ...data];
}
