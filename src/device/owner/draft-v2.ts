/**
 * The administration commands of the draft series: mode, device context, write records.
 * @source virtio-comment v2 4/8, 5/8, 7/8 and 8/8, admin-cmds-device-migration.tex
 */
import {
  sizeofVirtioDevCtxFeatures,
  sizeofVirtioDevCtxVqSplitDevDescs,
  VIRTIO_DEV_CTX_PCI_VQ_CFG_SIZE,
  VIRTIO_DEV_CTX_VQ_SPLIT_RUNTIME_SIZE,
  VirtioDevCtxType,
} from "../../../generated/virtio/device-context.js";
import {
  decodeVirtioAdminCmdDevCtxSizeGetData,
  decodeVirtioAdminCmdDevModeSetData,
  decodeVirtioAdminCmdWriteRecordsReadData,
  encodeVirtioAdminCmdDevCtxRdLen,
  encodeVirtioAdminCmdDevCtxSizeGetResult,
  encodeVirtioAdminCmdDevCtxSupportedFieldsResult,
  encodeVirtioAdminCmdDevModeGetResult,
  encodeVirtioAdminCmdDevWriteRecordCapResult,
  encodeVirtioAdminCmdDevWriteRecordsCnt,
  encodeVirtioAdminCmdDevWriteRecordsResult,
  readVirtioAdminCmdWriteRecordStartData,
  VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET_DATA_SIZE,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET_DATA_SIZE,
  VIRTIO_ADMIN_CMD_WRITE_RECORDS_READ_DATA_SIZE,
  VirtioAdminCommandsDraftV2,
  VirtioDevMigrationMode,
} from "../../../generated/virtio/draft-v2/admin-commands.js";
import { sizeofVirtioPciCommonCfg } from "../../../generated/virtio/pci.js";
import { Reader } from "../../runtime/index.js";
import { commonConfigOf } from "../member/common-config.js";
import type { MigrationMode } from "../member/migration-mode.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import { guestAddress } from "../memory/guest-memory.js";
import { invalidCommand, invalidField } from "./admin-error.js";
import {
  type Answer,
  type CommandInput,
  type CommandProfile,
  fitted,
  type MemberCommand,
} from "./command.js";
import { ContextSink, ContextSource } from "./context-transfer.js";
import { SUPPORTED_PAGE_SIZES, SUPPORTED_RANGES, WriteRecords } from "./write-records.js";

const {
  VIRTIO_ADMIN_CMD_DEV_MODE_GET,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET,
  VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET,
  VIRTIO_ADMIN_CMD_DEV_CTX_READ,
  VIRTIO_ADMIN_CMD_DEV_CTX_WRITE,
  VIRTIO_ADMIN_CMD_DEV_CTX_FIELDS_QUERY,
  VIRTIO_ADMIN_CMD_DEV_CTX_DISCARD,
  VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_QUERY,
  VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_START,
  VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_STOP,
  VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_READ,
} = VirtioAdminCommandsDraftV2;

const MODES: ReadonlyMap<number, MigrationMode> = new Map<number, MigrationMode>([
  [VirtioDevMigrationMode.VIRTIO_DEV_MODE_ACTIVE, "active"],
  [VirtioDevMigrationMode.VIRTIO_DEV_MODE_STOP, "stop"],
  [VirtioDevMigrationMode.VIRTIO_DEV_MODE_FREEZE, "freeze"],
]);

/** Bytes of an address in a result of write records. */
const RECORD_SIZE = encodeVirtioAdminCmdDevWriteRecordsResult({ addressEntries: [0n] }).length;

/** What the owner keeps for each member. */
interface Migration {
  readonly source: ContextSource;
  readonly sink: ContextSink;
  readonly records: WriteRecords;
}

export class DraftV2Profile implements CommandProfile {
  readonly name = "draft-v2";
  readonly memberCommands: readonly MemberCommand[];
  /** All commands of the series are for members. */
  readonly ownerCommands: readonly [] = [];
  private migrations = new Map<VirtioDevice, Migration>();

  constructor() {
    const command = (
      opcode: number,
      run: (member: VirtioDevice, input: CommandInput) => Answer,
      waits = false,
    ): MemberCommand => ({ opcode, waits, run });
    this.memberCommands = [
      command(VIRTIO_ADMIN_CMD_DEV_MODE_GET, (member) => getMode(member)),
      {
        // What the device has taken and not begun stays with it: it is part of its context.
        ...command(VIRTIO_ADMIN_CMD_DEV_MODE_SET, (member, input) => this.setMode(member, input), true),
        settle: () => {},
      },
      command(VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET, (member, input) => this.contextSize(member, input)),
      command(VIRTIO_ADMIN_CMD_DEV_CTX_READ, (member, input) => this.readContext(member, input), true),
      command(VIRTIO_ADMIN_CMD_DEV_CTX_WRITE, (member, input) => this.writeContext(member, input), true),
      command(VIRTIO_ADMIN_CMD_DEV_CTX_FIELDS_QUERY, (member) => supportedFields(member)),
      command(VIRTIO_ADMIN_CMD_DEV_CTX_DISCARD, (member) => this.discard(member)),
      command(VIRTIO_ADMIN_CMD_DEV_WRITE_RECORD_CAP_QUERY, () => recordCapabilities()),
      command(VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_START, (member, input) => this.startRecords(member, input)),
      command(VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_STOP, (member) => this.stopRecords(member)),
      command(VIRTIO_ADMIN_CMD_DEV_WRITE_RECORDS_READ, (member, input) => this.readRecords(member, input)),
    ];
  }

  reset(): void {
    for (const { records } of this.migrations.values()) records.stop();
    this.migrations = new Map();
  }

  private of(member: VirtioDevice): Migration {
    let migration = this.migrations.get(member);
    if (migration === undefined) {
      migration = {
        source: new ContextSource(member),
        sink: new ContextSink(member),
        records: new WriteRecords(member.memory),
      };
      this.migrations.set(member, migration);
    }
    return migration;
  }

  private setMode(member: VirtioDevice, { data }: CommandInput): Answer {
    const value = decodeVirtioAdminCmdDevModeSetData(
      fitted(data, VIRTIO_ADMIN_CMD_DEV_MODE_SET_DATA_SIZE),
    ).mode;
    const mode = MODES.get(value);
    if (mode === undefined) throw invalidField(`mode ${value}`);
    if (mode === member.mode) return {};
    const { source, sink } = this.of(member);
    if (mode !== "freeze" && (source.isPartial || sink.isPartial)) {
      throw invalidCommand(`a context is partially ${source.isPartial ? "read" : "written"}`);
    }
    const state = member.mode === "freeze" ? sink.takeComplete() : undefined;
    if (state !== undefined) member.restore(state);
    member.setMode(mode);
    source.discard();
    return {};
  }

  private contextSize(member: VirtioDevice, { data }: CommandInput): Answer {
    // One estimate for both questions: a context of this device does not grow on the way to Freeze.
    decodeVirtioAdminCmdDevCtxSizeGetData(fitted(data, VIRTIO_ADMIN_CMD_DEV_CTX_SIZE_GET_DATA_SIZE));
    return { result: encodeVirtioAdminCmdDevCtxSizeGetResult({ size: this.of(member).source.remaining }) };
  }

  private readContext(member: VirtioDevice, { room }: CommandInput): Answer {
    const result = this.of(member).source.read(room);
    return { output: encodeVirtioAdminCmdDevCtxRdLen({ contextLen: result.length }), result };
  }

  private writeContext(member: VirtioDevice, { data }: CommandInput): Answer {
    if (member.mode !== "freeze") throw invalidCommand(`a context cannot be written in ${member.mode} mode`);
    this.of(member).sink.write(data);
    return {};
  }

  private discard(member: VirtioDevice): Answer {
    const { source, sink } = this.of(member);
    source.discard();
    sink.discard();
    return {};
  }

  private startRecords(member: VirtioDevice, { data }: CommandInput): Answer {
    const { pageSize, entries } = readVirtioAdminCmdWriteRecordStartData(new Reader(data));
    const ranges = entries.map(({ pageAddress, pageCount }) => ({
      address: guestAddress(pageAddress),
      length: guestAddress(pageCount * BigInt(pageSize)),
    }));
    this.of(member).records.start(pageSize, ranges);
    return {};
  }

  private stopRecords(member: VirtioDevice): Answer {
    this.of(member).records.stop();
    return {};
  }

  private readRecords(member: VirtioDevice, { data, room }: CommandInput): Answer {
    const { pageAddress, length } = decodeVirtioAdminCmdWriteRecordsReadData(
      fitted(data, VIRTIO_ADMIN_CMD_WRITE_RECORDS_READ_DATA_SIZE),
    );
    const range = { address: guestAddress(pageAddress), length: guestAddress(length) };
    const pages = this.of(member).records.read(range, Math.floor(room / RECORD_SIZE));
    return {
      output: encodeVirtioAdminCmdDevWriteRecordsCnt({ count: pages.length }),
      result: encodeVirtioAdminCmdDevWriteRecordsResult({ addressEntries: pages.map(BigInt) }),
    };
  }
}

function getMode(member: VirtioDevice): Answer {
  const [mode] = [...MODES].find(([, name]) => name === member.mode) ?? [0];
  return { result: encodeVirtioAdminCmdDevModeGetResult({ mode }) };
}

function recordCapabilities(): Answer {
  return {
    result: encodeVirtioAdminCmdDevWriteRecordCapResult({
      supportedPageSizeBitmap: SUPPORTED_PAGE_SIZES,
      supportedRanges: SUPPORTED_RANGES,
    }),
  };
}

/** Every type that a context of the member has, with the length of its value; of a value that varies, the longest. */
function supportedFields(member: VirtioDevice): Answer {
  const largest = Math.max(0, ...member.queues.map(({ maxSize }) => maxSize));
  const lengths: readonly (readonly [type: number, length: number])[] = [
    [VirtioDevCtxType.VIRTIO_DEV_CTX_PCI_COMMON_CFG, sizeofVirtioPciCommonCfg(commonConfigOf(member))],
    [
      VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_FEATURES,
      sizeofVirtioDevCtxFeatures({ featureBits: [member.features] }),
    ],
    [VirtioDevCtxType.VIRTIO_DEV_CTX_PCI_VQ_CFG, VIRTIO_DEV_CTX_PCI_VQ_CFG_SIZE],
    [VirtioDevCtxType.VIRTIO_DEV_CTX_VQ_SPLIT_RUNTIME_CFG, VIRTIO_DEV_CTX_VQ_SPLIT_RUNTIME_SIZE],
    [
      VirtioDevCtxType.VIRTIO_DEV_CTX_VQ_SPLIT_DEV_OWN_DESC,
      sizeofVirtioDevCtxVqSplitDevDescs({ vqIndex: 0, descIdx: new Array<number>(largest).fill(0) }),
    ],
    [VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_CFG, member.type.config().length],
  ];
  return {
    result: encodeVirtioAdminCmdDevCtxSupportedFieldsResult({
      fields: lengths.map(([type, length]) => ({ type, length: BigInt(length) })),
    }),
  };
}
