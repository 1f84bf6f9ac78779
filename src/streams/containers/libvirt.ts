/** Finds the migration stream in a save image of libvirt, and what the image says of its domain. */
import {
  checkLibvirtSaveHeader,
  decodeLibvirtSaveHeader,
  LIBVIRT_SAVE_HEADER_SIZE,
  type LibvirtSaveHeader,
} from "../../../generated/capture/libvirt.js";
import { WireError } from "../../runtime/index.js";
import { streamFault } from "../faults.js";

/** Domains are described in kilobytes. */
const MAX_DATA = 16 << 20;

export interface LibvirtImage {
  readonly header: LibvirtSaveHeader;
  readonly littleEndian: boolean;
  /** It was written to the end. */
  readonly complete: boolean;
  /** Where the data ends, in bytes from the start of the image: the stream follows. */
  readonly dataEnd: number;
}

/** Throws `WireError` when the header is cut or damaged. */
export function readLibvirtImage(prefix: Uint8Array): LibvirtImage {
  const bytes = prefix.subarray(0, LIBVIRT_SAVE_HEADER_SIZE);
  // Sound in one order only: in the other, the version is larger than any.
  const littleEndian = checkLibvirtSaveHeader(bytes, true) === undefined;
  const header = decodeLibvirtSaveHeader(bytes, littleEndian);
  if (header.dataLen > MAX_DATA) {
    const detail = `${header.dataLen} bytes, the cap is ${MAX_DATA}`;
    throw new WireError(streamFault("capture/libvirt.wire", "limit", "data_len", 0, detail));
  }
  const dataEnd = LIBVIRT_SAVE_HEADER_SIZE + header.dataLen;
  return { header, littleEndian, complete: header.magic === COMPLETE, dataEnd };
}

/** The domain and the cookie as XML. `data` is what stands between header and stream. */
export function libvirtTexts(
  { header }: LibvirtImage,
  data: Uint8Array,
): { readonly domain: string; readonly cookie: string | undefined } {
  const { cookieOffset } = header;
  return {
    domain: textAt(data, 0),
    cookie: cookieOffset === 0 || cookieOffset >= data.length ? undefined : textAt(data, cookieOffset),
  };
}

const COMPLETE = "LibvirtQemudSave";

function textAt(data: Uint8Array, at: number): string {
  const end = data.indexOf(0, at);
  return new TextDecoder().decode(data.subarray(at, end < 0 ? data.length : end));
}
