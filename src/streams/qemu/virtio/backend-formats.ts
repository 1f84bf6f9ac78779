/** Formats that back-ends keep their internal state in. Nothing says which it is: what takes the bytes exactly is it. */
import { scanPasstState, walkPasstState } from "../../../../generated/vhost-user/passt-state.js";
import { scanVirtiofsdState, walkVirtiofsdState } from "../../../../generated/vhost-user/virtiofsd-state.js";
import { scanVirtioDevCtx, walkVirtioDevCtx } from "../../../../generated/virtio/device-context.js";
import type { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { Reader, Visitor } from "../../../runtime/index.js";

export interface BackendFormat {
  /** The name of the struct in its schema. */
  readonly type: string;
  readonly scan: (reader: Reader) => boolean;
  readonly walk: (reader: Reader, visitor: Visitor) => boolean;
}

/** passt's ports are in the order of the host, which changes no place: nearly all hosts are little-endian. */
const LITTLE_ENDIAN = true;

/** Those that chance fits least first: one begins with a magic number, another with the number of its fields. */
function formats(device: VirtioDeviceId): readonly BackendFormat[] {
  return [
    {
      type: "passt_state",
      scan: (reader) => scanPasstState(reader, LITTLE_ENDIAN),
      walk: (reader, visitor) => walkPasstState(reader, visitor, LITTLE_ENDIAN),
    },
    {
      type: "virtio_dev_ctx",
      scan: (reader) => scanVirtioDevCtx(reader, device),
      walk: (reader, visitor) => walkVirtioDevCtx(reader, visitor, device),
    },
    { type: "virtiofsd_state", scan: scanVirtiofsdState, walk: walkVirtiofsdState },
  ];
}

/** Less than any of them takes that says anything. */
const LEAST = 8;

/** What the reader holds from its cursor to its end, all of it. Moves nothing. */
export function backendFormat(reader: Reader, device: VirtioDeviceId): BackendFormat | undefined {
  const { at, end, depth, fault } = reader;
  if (end - at < LEAST) return undefined;
  const found = formats(device).find(({ scan }) => {
    const fits = scan(reader) && reader.at === end;
    reader.rewind(at, end, depth);
    return fits;
  });
  reader.fault = fault;
  return found;
}
