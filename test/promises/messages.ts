/** Messages of the real schemas, written down from the layouts in the specifications, with all that is generated for them. */
import * as qemu from "../../generated/qemu/stream.js";
import * as vfio from "../../generated/vfio/virtio-stream.js";
import * as context from "../../generated/virtio/device-context.js";
import * as parts from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import * as pci from "../../generated/virtio/pci.js";
import type {
  ParserOptions,
  PushParser,
  Reader,
  Source,
  Visitor,
  WireError,
} from "../../src/runtime/index.js";
import { be, bytes, deviceContext, deviceParts, le, tlv, vfioRecordBytes } from "../streams/wire-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;

export interface Message {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Knows where it ends: no prefix of it is a message. */
  readonly delimited: boolean;
  decode(source: Source): unknown;
  /** Decodes and encodes. */
  again(source: Source): Uint8Array;
  check(source: Source): WireError | undefined;
  view(source: Source): unknown;
  walk(reader: Reader, visitor: Visitor): boolean;
  parser?(handler: Heard, options?: ParserOptions): PushParser;
}

/** A handler that hears everything: the generated interfaces have nothing but optional methods. */
export type Heard = Readonly<Record<string, (...args: readonly unknown[]) => void>>;

export const messages: readonly Message[] = [
  {
    name: "a device context",
    bytes: deviceContext().bytes,
    delimited: true,
    decode: (source) => context.decodeVirtioDevCtx(source, NET),
    again: (source) => context.encodeVirtioDevCtx(context.decodeVirtioDevCtx(source, NET), NET),
    check: (source) => context.checkVirtioDevCtx(source, NET),
    view: (source) => new context.VirtioDevCtxView(source, 0, NET),
    walk: (reader, visitor) => context.walkVirtioDevCtx(reader, visitor, NET),
    parser: (handler, options) => new context.VirtioDevCtxParser(NET, handler, options),
  },
  {
    name: "a field of a device context, with bits in what is reserved",
    bytes: bytes(le(2, 0x2345), 1, 0, 0, 0, 0, 9, le(8, 3), 7, 8, 9),
    delimited: true,
    decode: (source) => context.decodeVirtioDevCtxFieldTlv(source, NET),
    again: (source) =>
      context.encodeVirtioDevCtxFieldTlv(context.decodeVirtioDevCtxFieldTlv(source, NET), NET),
    check: (source) => context.checkVirtioDevCtxFieldTlv(source, NET),
    view: (source) => new context.VirtioDevCtxFieldTlvView(source, 0, NET),
    walk: (reader, visitor) => context.walkVirtioDevCtxFieldTlv(reader, visitor, NET),
  },
  {
    name: "the configuration of a virtqueue",
    bytes: bytes(
      tlv(2, [...le(2, 5), ...le(2, 256), ...le(2, 1), ...le(8, 1), ...le(8, 2), ...le(8, 3)]),
    ).slice(16),
    delimited: true,
    decode: context.decodeVirtioDevCtxPciVqCfg,
    again: (source) => context.encodeVirtioDevCtxPciVqCfg(context.decodeVirtioDevCtxPciVqCfg(source)),
    check: context.checkVirtioDevCtxPciVqCfg,
    view: (source) => new context.VirtioDevCtxPciVqCfgView(source),
    walk: context.walkVirtioDevCtxPciVqCfg,
  },
  {
    name: "device parts",
    bytes: bytes(...deviceParts()),
    delimited: false,
    decode: (source) => parts.decodeVirtioDevParts(source, NET),
    again: (source) => parts.encodeVirtioDevParts(parts.decodeVirtioDevParts(source, NET), NET),
    check: (source) => parts.checkVirtioDevParts(source, NET),
    view: (source) => new parts.VirtioDevPartsView(source, 0, NET),
    walk: (reader, visitor) => parts.walkVirtioDevParts(reader, visitor, NET),
    parser: (handler, options) => new parts.VirtioDevPartsParser(NET, handler, options),
  },
  {
    name: "an optional part that nobody knows",
    bytes: bytes(le(2, 0x777), 0xff, 0xaa, [1, 2, 3, 4, 5, 6, 7, 8], le(4, 3), 1, 2, 3),
    delimited: true,
    decode: (source) => parts.decodeVirtioDevPart(source, NET),
    again: (source) => parts.encodeVirtioDevPart(parts.decodeVirtioDevPart(source, NET), NET),
    check: (source) => parts.checkVirtioDevPart(source, NET),
    view: (source) => new parts.VirtioDevPartView(source, 0, NET),
    walk: (reader, visitor) => parts.walkVirtioDevPart(reader, visitor, NET),
  },
  {
    name: "a record of vfio-virtio",
    bytes: bytes(vfioRecordBytes(0, 0, deviceParts().flat())),
    delimited: true,
    decode: (source) => vfio.decodeVirtiovfRecord(source, NET),
    again: (source) => vfio.encodeVirtiovfRecord(vfio.decodeVirtiovfRecord(source, NET), NET),
    check: (source) => vfio.checkVirtiovfRecord(source, NET),
    view: (source) => new vfio.VirtiovfRecordView(source, 0, NET),
    walk: (reader, visitor) => vfio.walkVirtiovfRecord(reader, visitor, NET),
  },
  {
    name: "all records of vfio-virtio, one of an unknown kind",
    bytes: bytes(
      vfioRecordBytes(0, 0, deviceParts().flat()),
      vfioRecordBytes(1, 9, [1, 2, 3]),
      vfioRecordBytes(0, 0, []),
    ),
    delimited: false,
    decode: (source) => vfio.decodeVirtiovfRecords(source, NET),
    again: (source) => vfio.encodeVirtiovfRecords(vfio.decodeVirtiovfRecords(source, NET), NET),
    check: (source) => vfio.checkVirtiovfRecords(source, NET),
    view: (source) => new vfio.VirtiovfRecordsView(source, 0, NET),
    walk: (reader, visitor) => vfio.walkVirtiovfRecords(reader, visitor, NET),
    parser: (handler, options) => new vfio.VirtiovfRecordsParser(NET, handler, options),
  },
  {
    name: "the header of a section of a QEMU stream",
    // Type FULL, section 34, name of 5 letters, instance 0, version 2.
    bytes: bytes(4, be(4, 34), 5, "timer", be(4, 0), be(4, 2)),
    delimited: true,
    decode: qemu.decodeQemuVmRecord,
    again: (source) => qemu.encodeQemuVmRecord(qemu.decodeQemuVmRecord(source)),
    check: qemu.checkQemuVmRecord,
    view: (source) => new qemu.QemuVmRecordView(source),
    walk: qemu.walkQemuVmRecord,
  },
  {
    name: "a command of a QEMU stream that nobody knows",
    bytes: bytes(8, be(2, 0x1234), be(2, 3), 1, 2, 3),
    delimited: true,
    decode: qemu.decodeQemuVmRecord,
    again: (source) => qemu.encodeQemuVmRecord(qemu.decodeQemuVmRecord(source)),
    check: qemu.checkQemuVmRecord,
    view: (source) => new qemu.QemuVmRecordView(source),
    walk: qemu.walkQemuVmRecord,
  },
  {
    name: "the common configuration of a PCI device, as virtio 1.0 has it",
    bytes: Uint8Array.from({ length: 56 }, (_, i) => i),
    delimited: false,
    decode: pci.decodeVirtioPciCommonCfg,
    again: (source) => pci.encodeVirtioPciCommonCfg(pci.decodeVirtioPciCommonCfg(source)),
    check: pci.checkVirtioPciCommonCfg,
    view: (source) => new pci.VirtioPciCommonCfgView(source),
    walk: pci.walkVirtioPciCommonCfg,
  },
];
