/** What a capture is, told by its first bytes. */

import {
  GuestMessageType,
  readGuestAnswer,
  scanGuestAnswer,
  scanGuestBegin,
  sizeofGuestMessage,
} from "../../generated/migration/guest-stream.js";
import {
  readVirtiovfMigrationHeader,
  scanVirtiovfMigrationHeader,
  VirtiovfMigfHeaderFlags,
  VirtiovfMigfHeaderTag,
} from "../../generated/vfio/virtio-stream.js";
import { scanVirtioDevCtxFieldTlv } from "../../generated/virtio/device-context.js";
import { scanVirtioDevPart } from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { Reader } from "../runtime/index.js";
import { type ContainerKind, containerKind } from "../streams/containers/kinds.js";
import { hasDamagedHead } from "../streams/qemu/damaged-head.js";
import { isPreemptChannel } from "../streams/qemu/preempt.js";
import { isResumedMain } from "../streams/qemu/resumed.js";
import { isReturnPath } from "../streams/qemu/return-path.js";
import { recordingForm } from "../streams/vhost-user/form.js";
import { readFieldCount } from "../streams/virtio/context.js";
import { type CaptureKind, magicKind, startsWith } from "./kinds.js";

export type Detection =
  | { readonly kind: CaptureKind }
  /** Recognised, but not readable: `what` names it and says what to do. */
  | { readonly kind: "unsupported"; readonly what: string }
  | { readonly kind: "unknown" };

/** `prefix` holds the first `DETECTION_SIZE` bytes, or all where there are fewer. */
export function detectKind(prefix: Uint8Array): Detection {
  const said = magicKind(prefix);
  if (said !== undefined) return { kind: said };
  const form = recordingForm(prefix);
  if (form !== undefined && form !== "raw") return { kind: "vhost-user" };
  const container = containerKind(prefix);
  if (container !== undefined) return { kind: "unsupported", what: CONTAINERS[container] };
  for (const { magic, what } of FOREIGN) {
    if (startsWith(prefix, magic)) return { kind: "unsupported", what };
  }
  if (hasDamagedHead(prefix)) return { kind: "qemu-stream" };
  if (isResumedMain(prefix)) return { kind: "qemu-resumed" };
  if (isGuestStream(prefix)) return { kind: "guest-stream" };
  if (isGuestAnswers(prefix)) return { kind: "guest-answers" };
  // Five kinds without a magic number: the one that makes sense of what is there, element after element, is it.
  if (isVfioStream(prefix)) return { kind: "vfio-stream" };
  if (isChain(new Reader(prefix, { strict: true }), scanPart)) return { kind: "device-parts" };
  if (isContext(prefix)) return { kind: "device-context" };
  if (isReturnPath(prefix)) return { kind: "qemu-return-path" };
  if (isPreemptChannel(prefix)) return { kind: "qemu-preempt" };
  // Messages have no magic number either, and their headers ask for less than the kinds above.
  if (form === "raw") return { kind: "vhost-user" };
  return { kind: "unknown" };
}

/** What is left to say of a wrapper that nobody has taken off. */
const CONTAINERS: Readonly<Record<ContainerKind, string>> = {
  gzip: "compressed by gzip: unpack it first",
  zstd: "compressed by zstd: unpack it first",
  xz: "compressed by xz: unpack it first",
  bzip2: "compressed by bzip2: unpack it first",
  lzop: "compressed by lzop: unpack it first (lzop -dc FILE | virtwire inspect -)",
  libvirt: "a libvirt save image: the QEMU stream inside it must be cut out first",
  qcow2: "a qcow2 image, which is read by its tables: give the file itself, unpacked",
};

const FOREIGN: readonly { readonly magic: readonly number[]; readonly what: string }[] = [
  { magic: ascii("{"), what: "JSON text that is no recorded vhost-user session" },
  { magic: ascii("["), what: "JSON text that is no recorded vhost-user session" },
];

type Scan = (reader: Reader) => boolean;

const scanTlv: Scan = (reader) => scanVirtioDevCtxFieldTlv(reader, VirtioDeviceId.VIRTIO_ID_INVALID);
const scanPart: Scan = (reader) => scanVirtioDevPart(reader, VirtioDeviceId.VIRTIO_ID_INVALID);

/** No element claims more than this, so a random length betrays itself. */
const MAX_ELEMENT = 2 ** 32;

/** A capture may be damaged, and still be of a kind: this many sound elements are no accident. */
const CONVINCING = 2;

/** Whether elements follow one another from the cursor up to where the prefix ends or cuts one. */
function isChain(reader: Reader, scan: Scan): boolean {
  let whole = 0;
  while (reader.at < reader.end) {
    const at = reader.at;
    if (!scan(reader)) {
      const { fault } = reader;
      if (fault === undefined || whole >= CONVINCING) return whole >= CONVINCING;
      // Inside the first element little has been checked: it must be the prefix that ends, behind more than a number.
      const cut = fault.code === "truncated" && (fault.need ?? 0) < MAX_ELEMENT;
      return cut && (whole > 0 || (fault.offset > at && fault.path.includes(".")));
    }
    whole++;
  }
  return whole > 0;
}

/** Records may be larger than the prefix: the parts inside the first one with parts decide. */
function isVfioStream(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix, { strict: true });
  let whole = 0;
  while (true) {
    const at = reader.at;
    if (!scanVirtiovfMigrationHeader(reader)) return whole > 0 && reader.fault?.code === "truncated";
    const body = reader.at;
    reader.at = at;
    const { recordSize, flags, tag } = readVirtiovfMigrationHeader(reader);
    if (tag === VirtiovfMigfHeaderTag.VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA) {
      return isChain(new Reader(prefix.subarray(body, body + recordSize), { strict: true }), scanPart);
    }
    if (flags !== VirtiovfMigfHeaderFlags.VIRTIOVF_MIGF_HEADER_FLAGS_TAG_OPTIONAL) return false;
    whole++;
    reader.at = body + recordSize;
    if (reader.at >= reader.end) return whole >= CONVINCING;
  }
}

/** Of a message without a body: its head. */
const GUEST_HEAD: number = sizeofGuestMessage({
  type: GuestMessageType.GUEST_MESSAGE_END,
  body: { case: "guestMessageEnd", value: undefined },
});

/** The magic number stands behind the head of the first message. What is wrong behind it makes it nothing else. */
function isGuestStream(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix.subarray(GUEST_HEAD));
  if (scanGuestBegin(reader)) return true;
  const { fault } = reader;
  if (fault === undefined || fault.offset === 0) return false;
  // Where the first fields are cut off, nothing has been looked at.
  return fault.code !== "truncated" || /^(?:regions|members)/.test(fault.path);
}

/** Answers have none: the guest is accepted, and something sound follows; or it is refused, for a reason in words. */
function isGuestAnswers(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix, { strict: true });
  if (!scanGuestAnswer(reader)) return false;
  const { at } = reader;
  reader.at = 0;
  const { body } = readGuestAnswer(reader);
  if (body.case === "refused") return at === reader.end && /^[\x20-\x7e]+$/.test(body.value.text);
  return (
    body.case === "guestAnswerAccepted" &&
    isChain(new Reader(prefix.subarray(at), { strict: true }), scanGuestAnswer)
  );
}

function isContext(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix, { strict: true });
  const count = readFieldCount(reader, VirtioDeviceId.VIRTIO_ID_INVALID);
  if (count === undefined) return false;
  return count === 0 ? reader.at === reader.end : isChain(reader, scanTlv);
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
