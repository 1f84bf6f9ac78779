/** The internal states of back-ends, in the chunks that QEMU cuts them into. */
import { describe, expect, it } from "vitest";
import { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import { Reader } from "../../../../src/runtime/index.js";
import { backendState } from "../../../../src/streams/qemu/virtio/devices/backend-state.js";
import { deviceContext } from "../../wire-bytes.js";
import { Coverage } from "./coverage.js";

/** postcard: 7 bits a byte from the lowest upwards, all but the last with bit 7 set. */
function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}

/** postcard: -1 is 1, 1 is 2, -2 is 3. */
function signed(value: number): number[] {
  return varint(value < 0 ? -2 * value - 1 : 2 * value);
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...varint(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return list([...Buffer.from(value)].map((byte) => [byte]));
}

const NONE = [0];
const ROOT = [...varint(1), ...varint(2), 0, ...NONE];
const LONG = "a".repeat(200);
const FILE = [...varint(300), ...varint(1), 1, ...varint(1), ...text(LONG), ...NONE];
const HANDLE = [...varint(21), ...signed(-1), ...list([[0xaa], [0xbb]])];
const BY_HANDLE = [...varint(301), ...varint(2 ** 40), 4, ...HANDLE, 1, ...HANDLE];
const OPEN = [...varint(7), ...varint(300), 0, ...signed(0x8002)];

/** What serde derives for PassthroughFs::V2 of virtiofsd. */
const VIRTIOFSD = Uint8Array.from([
  1,
  ...list([ROOT, FILE, BY_HANDLE]),
  ...varint(302),
  ...list([OPEN]),
  ...varint(8),
  ...[1, 0, 0, 1],
  ...list([[...varint(21), ...text("/")]]),
]);

function chunks(...parts: readonly Uint8Array[]): Uint8Array {
  const led = parts.map((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return Buffer.concat([length, part]);
  });
  return new Uint8Array(Buffer.concat([...led, Buffer.alloc(4)]));
}

function walked(bytes: Uint8Array): Coverage {
  const [layout] = backendState("vhost-user-fs-backend", VirtioDeviceId.VIRTIO_ID_FS).layouts;
  const coverage = new Coverage();
  const reader = new Reader(bytes);
  expect(layout?.walk(reader, coverage)).toBe(true);
  expect([coverage.faults, coverage.breaks, coverage.at]).toEqual([[], [], bytes.length]);
  return coverage;
}

describe("the state of a back-end", () => {
  it("of virtiofsd is told to the last bit", () => {
    const { fields } = walked(chunks(VIRTIOFSD));
    const inodes = "chunks[0].data.inodes.one.items";
    expect(Object.fromEntries(fields)).toMatchObject({
      "chunks[0].data.version": 1,
      [`${inodes}[0].location`]: 0,
      [`${inodes}[1].id.bits_0`]: 300 % 128,
      [`${inodes}[1].id.bits_7`]: 2,
      [`${inodes}[1].path.filename.two.text.text`]: LONG,
      [`${inodes}[2].refcount.bits_35`]: 2 ** 5,
      [`${inodes}[2].handle.handle.one.text`]: "\u00aa\u00bb",
      [`${inodes}[2].file_handle.handle_type.bits_0`]: 1,
      "chunks[0].data.handles.one.items[0].flags.bits_14": 4,
      "chunks[0].data.negotiated_opts.sup_group_extension": 1,
      "chunks[0].data.mount_paths.one.items[0].path.one.text": "/",
    });
  });

  it("that is a device context is told as one", () => {
    const { fields } = walked(chunks(deviceContext().bytes));
    expect(fields.get("chunks[0].data.field_count")).toBeGreaterThan(0);
  });

  it("in a format that is not known, or cut into several chunks, is bytes", () => {
    const half = VIRTIOFSD.length >> 1;
    const cut = walked(chunks(VIRTIOFSD.subarray(0, half), VIRTIOFSD.subarray(half)));
    expect(cut.fields.get("chunks[1].data")).toEqual(VIRTIOFSD.subarray(half));
    const unknown = Uint8Array.from({ length: 40 }, (_, i) => i + 100);
    expect(walked(chunks(unknown)).fields.get("chunks[0].data")).toEqual(unknown);
  });

  it("can be empty", () => {
    expect([...walked(chunks()).fields.keys()]).toEqual(["end"]);
  });
});
