/**
 * A driver that migrates members of a group with the draft series' commands: the context in pieces of any size, written
 * pages, modes.
 * @source virtio-comment v2 1/8, theory of operation
 */
import {
  decodeVirtioAdminCmdDevCtxRdLen,
  decodeVirtioAdminCmdDevCtxSizeGetResult,
  decodeVirtioAdminCmdDevModeGetResult,
  decodeVirtioAdminCmdDevWriteRecordCapResult,
  decodeVirtioAdminCmdDevWriteRecordsCnt,
  decodeVirtioAdminCmdDevWriteRecordsResult,
  encodeVirtioAdminCmdDevCtxSizeGetData,
  encodeVirtioAdminCmdDevModeSetData,
  encodeVirtioAdminCmdWriteRecordStartData,
  encodeVirtioAdminCmdWriteRecordsReadData,
  sizeofVirtioAdminCmdDevWriteRecordsResult,
  VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET_RESULT_SIZE,
  VIRTIO_ADMIN_CMD_DEV_MODE_GET_RESULT_SIZE,
  VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_RESULT_SIZE,
  VirtioAdminCommandsDraftV2,
  VirtioDevMigrationMode,
} from "../../../generated/virtio/draft-v2/admin-commands.js";
import { cutIntoBuffers } from "../../streams/cut.js";
import type { MigrationMode } from "../member/migration-mode.js";
import type { PageRange } from "../memory/written-pages.js";
import { fitted } from "../owner/command.js";
import type { AdminDriver } from "./admin-driver.js";

const C = VirtioAdminCommandsDraftV2;

const MODES: Readonly<Record<MigrationMode, number>> = {
  active: VirtioDevMigrationMode.VIRTIO_DEV_MODE_ACTIVE,
  stop: VirtioDevMigrationMode.VIRTIO_DEV_MODE_STOP,
  freeze: VirtioDevMigrationMode.VIRTIO_DEV_MODE_FREEZE,
};

/** A context in one piece takes as many commands as it needs; pieces are a multiple of 8, so that none needs filling up. */
const PIECE = 4096;
const RECORDS_PER_COMMAND = 512;

export class DraftV2Driver {
  private readonly admin: AdminDriver;
  readonly memberId: number;
  private recorded: readonly PageRange[] = [];

  /** The commands must be in use (see AdminDriver.useAll). */
  constructor(admin: AdminDriver, memberId: number) {
    this.admin = admin;
    this.memberId = memberId;
  }

  mode(): MigrationMode {
    const { result } = this.run(
      C.VIRTIO_ADMIN_CMD_DEV_MODE_GET,
      undefined,
      VIRTIO_ADMIN_CMD_DEV_MODE_GET_RESULT_SIZE,
    );
    const { mode } = decodeVirtioAdminCmdDevModeGetResult(
      fitted(result, VIRTIO_ADMIN_CMD_DEV_MODE_GET_RESULT_SIZE),
    );
    const found = Object.entries(MODES).find(([, value]) => value === mode);
    if (found === undefined) throw new RangeError(`the device is in mode ${mode}`);
    return found[0] as MigrationMode;
  }

  setMode(mode: MigrationMode): void {
    this.run(C.VIRTIO_ADMIN_CMD_DEV_MODE_SET, encodeVirtioAdminCmdDevModeSetData({ mode: MODES[mode] }));
  }

  /** An estimate, in bytes, of what is still to be read. */
  contextSize(freeze = false): number {
    const data = encodeVirtioAdminCmdDevCtxSizeGetData({ freezeMode: freeze ? 1 : 0 });
    const { result } = this.run(
      C.VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET,
      data,
      VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET_RESULT_SIZE,
    );
    return decodeVirtioAdminCmdDevCtxSizeGetResult(
      fitted(result, VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET_RESULT_SIZE),
    ).size;
  }

  /** The pieces of a context, each as one command brings it; none when the device has nothing new. */
  *readContext(piece: number = PIECE): Generator<Uint8Array> {
    while (true) {
      const { output, result } = this.run(C.VIRTIO_ADMIN_CMD_DEV_CTX_READ, undefined, piece);
      const { contextLen } = decodeVirtioAdminCmdDevCtxRdLen(output);
      const bytes = result.subarray(0, contextLen);
      if (bytes.length > 0) yield bytes;
      if (bytes.length < piece) return;
    }
  }

  /**
   * `piece`: a multiple of 8, because commands are filled up to one and a context cannot tell zeros from its own. A context
   * that is refused is discarded: no part of it is left in the way of a change of the mode.
   */
  writeContext(context: Uint8Array, piece: number = PIECE): void {
    if (piece % 8 !== 0) throw new RangeError(`pieces of ${piece} bytes`);
    try {
      for (const data of cutIntoBuffers(context, piece)) this.run(C.VIRTIO_ADMIN_CMD_DEV_CTX_WRITE, data);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  discard(): void {
    this.run(C.VIRTIO_ADMIN_CMD_DEV_CTX_DISCARD);
  }

  /** The page sizes that the device can record, in bytes, and how many ranges. */
  recordCapabilities(): { readonly pageSizes: readonly number[]; readonly ranges: number } {
    const { result } = this.run(
      C.VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_QUERY,
      undefined,
      VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_RESULT_SIZE,
    );
    const { supportedPageSizeBitmap, supportedRanges } = decodeVirtioAdminCmdDevWriteRecordCapResult(
      fitted(result, VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_RESULT_SIZE),
    );
    const bits = Array.from({ length: 32 }, (_, bit) => bit).filter(
      (bit) => ((supportedPageSizeBitmap >>> bit) & 1) === 1,
    );
    return { pageSizes: bits.map((bit) => 4096 * 2 ** bit), ranges: supportedRanges };
  }

  /**
   * Ranges are added to those that are being recorded.
   * @throws RangeError when ranges overlap each other, or those that are being recorded; nothing is sent then.
   */
  startRecords(pageSize: number, ranges: readonly PageRange[]): void {
    const all = [...this.recorded, ...ranges].sort((a, b) => a.address - b.address);
    all.forEach(({ address }, index) => {
      const before = all[index - 1];
      if (before !== undefined && before.address + before.length > address) {
        throw new RangeError(`the range at 0x${address.toString(16)} overlaps another`);
      }
    });
    const entries = ranges.map(({ address, length }) => ({
      pageAddress: BigInt(address),
      pageCount: BigInt(length / pageSize),
    }));
    this.run(
      C.VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_START,
      encodeVirtioAdminCmdWriteRecordStartData({ pageSize, entries }),
    );
    this.recorded = all;
  }

  /** Writes are being recorded that this driver has asked for, and has to stop. */
  get isRecording(): boolean {
    return this.recorded.length > 0;
  }

  /** Addresses of pages in the range that were written since they were last told. */
  *takeRecords({ address, length }: PageRange): Generator<number> {
    const data = encodeVirtioAdminCmdWriteRecordsReadData({
      pageAddress: BigInt(address),
      length: BigInt(length),
    });
    const room = sizeofVirtioAdminCmdDevWriteRecordsResult({
      addressEntries: new Array<bigint>(RECORDS_PER_COMMAND).fill(0n),
    });
    while (true) {
      const { output, result } = this.run(C.VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_READ, data, room);
      const { count } = decodeVirtioAdminCmdDevWriteRecordsCnt(output);
      const { addressEntries } = decodeVirtioAdminCmdDevWriteRecordsResult(result);
      for (const entry of addressEntries.slice(0, count)) yield Number(entry);
      if (count < RECORDS_PER_COMMAND) return;
    }
  }

  stopRecords(): void {
    this.run(C.VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_STOP);
    this.recorded = [];
  }

  private run(opcode: number, data?: Uint8Array, room = 0): ReturnType<AdminDriver["execute"]> {
    return this.admin.execute({
      opcode,
      memberId: this.memberId,
      room,
      ...(data === undefined ? {} : { data }),
    });
  }
}
