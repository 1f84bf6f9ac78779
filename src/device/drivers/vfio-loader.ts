/**
 * Loads a stream of records into a device: header, data, header, … cut anywhere. A record's parts are set when it is
 * whole, because a device takes no parts of parts; the last record counts.
 * @source Linux 7.2, drivers/vfio/pci/virtio/migrate.c, virtiovf_resume_write
 */
import {
  readVirtiovfMigrationHeader,
  scanVirtiovfMigrationHeader,
  VirtiovfMigfHeaderFlags,
  VirtiovfMigfHeaderTag,
  type VirtiovfMigrationHeader,
} from "../../../generated/vfio/virtio-stream.js";
import { type Reader, WireError } from "../../runtime/index.js";
import { Window } from "../../streams/window.js";

type Refusal = (code: "EOPNOTSUPP" | "ENOMEM", message: string) => Error;

export class RecordLoader {
  private readonly setParts: (parts: Uint8Array) => void;
  private readonly largest: number;
  private readonly refuse: Refusal;
  private readonly window = new Window();
  private header: VirtiovfMigrationHeader | undefined;
  /** Bytes of a record that is not known, still to be passed over. */
  private skipping = 0;

  /**
   * `setParts` throws when the device refuses; `largest`: of a record, in bytes; `refuse` makes the error of a record that
   * this driver refuses.
   */
  constructor(setParts: (parts: Uint8Array) => void, largest: number, refuse: Refusal) {
    this.setParts = setParts;
    this.largest = largest;
    this.refuse = refuse;
  }

  /** Some of a record is there, and not all of it. */
  get isPartial(): boolean {
    return this.header !== undefined || this.skipping > 0 || this.window.held > 0;
  }

  push(bytes: Uint8Array): void {
    this.window.push(bytes, (reader) => this.parse(reader));
  }

  private parse(reader: Reader): number {
    while (true) {
      if (this.skipping > 0) {
        const passed = Math.min(this.skipping, reader.end - reader.at);
        reader.at += passed;
        this.skipping -= passed;
        if (this.skipping > 0) return 1;
      }
      if (this.header === undefined && !this.takeHeader(reader)) return reader.wanted - reader.at;
      const { header } = this;
      if (header === undefined) continue;
      if (reader.end - reader.at < header.recordSize) return header.recordSize;
      this.header = undefined;
      this.setParts(reader.slice(header.recordSize));
    }
  }

  /** False when the header is not whole. A record to pass over leaves no header behind. */
  private takeHeader(reader: Reader): boolean {
    const at = reader.at;
    if (!scanVirtiovfMigrationHeader(reader)) {
      const { fault } = reader;
      reader.at = at;
      // What the schema refuses of a header is a size that no command can carry.
      if (fault !== undefined && fault.code !== "truncated") {
        throw this.refuse("ENOMEM", new WireError(fault).message);
      }
      return false;
    }
    reader.at = at;
    const header = readVirtiovfMigrationHeader(reader);
    if (header.tag === VirtiovfMigfHeaderTag.VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA) {
      // Refused before anything of it is gathered.
      if (header.recordSize > this.largest) {
        throw this.refuse("ENOMEM", `a record of ${header.recordSize} bytes, at most ${this.largest}`);
      }
      this.header = header;
      return true;
    }
    if ((header.flags & VirtiovfMigfHeaderFlags.VIRTIOVF_MIGF_HEADER_FLAGS_TAG_OPTIONAL) === 0) {
      throw this.refuse("EOPNOTSUPP", `a record with tag ${header.tag} must be understood`);
    }
    this.skipping = header.recordSize;
    return true;
  }
}
