/** The internal state of a vhost-user back-end, which stands in a subsection of its device. */
import {
  readQemuVhostBackendState,
  scanQemuVhostBackendState,
  sizeofQemuVhostBackendState,
  walkQemuVhostBackendState,
  writeQemuVhostBackendState,
} from "../../../../../generated/qemu/virtio/backend-state.js";
import type { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { Reader, Site, Visitor } from "../../../../runtime/index.js";
import { Relay } from "../../relay.js";
import { backendFormat } from "../backend-formats.js";
import { layout } from "../layout.js";
import type { Vmstate } from "../vmstate.js";

const CHUNKS = {
  scan: scanQemuVhostBackendState,
  read: readQemuVhostBackendState,
  walk: walkQemuVhostBackendState,
  sizeof: sizeofQemuVhostBackendState,
  write: writeQemuVhostBackendState,
};

/** `name`: that of the subsection. */
export function backendState(name: string, device: VirtioDeviceId): Vmstate {
  const walk = (reader: Reader, visitor: Visitor): boolean =>
    walkQemuVhostBackendState(reader, new Inside(visitor, reader, device));
  const chunks = layout("qemu_vhost_backend_state", { ...CHUNKS, walk });
  return { name, version: 0, layouts: [chunks], subsections: [] };
}

/**
 * Shows the inside of a chunk that is the whole state of a back-end whose format is known. A state of more than a chunk
 * is bytes: it is cut anywhere, and its fields would not lie in one place.
 */
class Inside extends Relay {
  private readonly reader: Reader;
  private readonly device: VirtioDeviceId;

  constructor(target: Visitor, reader: Reader, device: VirtioDeviceId) {
    super(target);
    this.reader = reader;
    this.device = device;
  }

  override field(...[site, index, at, size, value]: Parameters<Visitor["field"]>): void {
    if (site.name !== "data" || !this.look(site, index, at, size)) super.field(site, index, at, size, value);
  }

  private look(site: Site, index: number, from: number, size: number): boolean {
    const { reader } = this;
    const { at, end, depth } = reader;
    const format = backendFormat(reader.rewind(from, from + size, depth + 1), this.device);
    if (format !== undefined) {
      super.open({ ...site, type: format.type }, index, from);
      format.walk(reader, this.target);
      super.close(reader.at);
    }
    reader.rewind(at, end, depth);
    return format !== undefined;
  }
}
