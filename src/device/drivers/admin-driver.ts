/** The driver of a group's owner: it carries out administration commands through the owner's administration virtqueue. */
import {
  decodeVirtioAdminCmdList,
  encodeVirtioAdminCmdList,
  encodeVirtioAdminCmdReadable,
  encodeVirtioAdminCmdWritable,
  readVirtioAdminCmdWritable,
  VirtioAdminGroupType,
  VirtioAdminStatus,
  VirtioAdminStatusQualifier,
  virtioAdminStatusName,
  virtioAdminStatusQualifierName,
} from "../../../generated/virtio/admin.js";
import { VirtioAdminCommands } from "../../../generated/virtio/admin-commands.js";
import { VirtioAdminCommandsDraftV2 } from "../../../generated/virtio/draft-v2/admin-commands.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { Reader } from "../../runtime/index.js";
import type { Allocator } from "../guest/allocator.js";
import { type DeviceBus, GuestDriver } from "../guest/guest-driver.js";
import type { GuestMemory } from "../memory/guest-memory.js";

/** Both parts of a command are a multiple of 64 bits. @source virtio 1.4, Administration Virtqueues (admin.tex) */
const UNIT = 8;
const NOTHING = new Uint8Array(0);
/** Bytes for the bits of 4096 opcodes. */
const LIST_ROOM = 512;
const WORD_BITS = 64;
/** How often a command is sent that the owner asks to send again. */
const ATTEMPTS = 8;
/** What a driver knows how to use: the commands of both profiles. Others may depend on each other in ways of their own. */
const FAMILIAR: ReadonlySet<number> = new Set<number>([
  ...Object.values(VirtioAdminCommands),
  ...Object.values(VirtioAdminCommandsDraftV2),
]);
/** In use before the driver has said anything. */
const LIST_COMMANDS: ReadonlySet<number> = new Set<number>([
  VirtioAdminCommands.VIRTIO_ADMIN_CMD_LIST_QUERY,
  VirtioAdminCommands.VIRTIO_ADMIN_CMD_LIST_USE,
]);
const AGAIN: number = VirtioAdminStatus.VIRTIO_ADMIN_STATUS_EAGAIN;
/** An answer without a result. */
const ANSWER_HEAD = encodeVirtioAdminCmdWritable({
  status: VirtioAdminStatus.VIRTIO_ADMIN_STATUS_OK,
  statusQualifier: VirtioAdminStatusQualifier.VIRTIO_ADMIN_STATUS_Q_OK,
  commandSpecificResult: NOTHING,
}).length;

export interface AdminAnswer {
  readonly status: number;
  readonly qualifier: number;
  /** The draft series' command_specific_output. */
  readonly output: Uint8Array;
  readonly result: Uint8Array;
}

/** The owner has refused a command. */
export class AdminCommandError extends Error {
  readonly opcode: number;
  readonly status: number;
  readonly qualifier: number;

  constructor(opcode: number, status: number, qualifier: number) {
    const name = virtioAdminStatusName(status) ?? `status ${status}`;
    const detail = virtioAdminStatusQualifierName(qualifier) ?? `qualifier ${qualifier}`;
    super(`command 0x${opcode.toString(16)} failed: ${name}, ${detail}`);
    this.name = "AdminCommandError";
    this.opcode = opcode;
    this.status = status;
    this.qualifier = qualifier;
  }
}

export interface AdminCommand {
  readonly opcode: number;
  readonly memberId: number;
  readonly data?: Uint8Array;
  /** How many bytes of a result there is room for. */
  readonly room?: number;
  readonly groupType?: number;
}

export class AdminDriver {
  readonly memory: GuestMemory;
  private readonly driver: GuestDriver;
  private readonly readableAt: number;
  private readonly writableAt: number;
  private readonly bufferSize: number;
  private readonly queue: number;
  private pending = false;
  /** By group type: the commands that the owner has let this driver use. */
  private readonly used = new Map<number, ReadonlySet<number>>();

  /**
   * `memory`: that of the host, which the owner reaches. Commands of at most `bufferSize` bytes each way.
   */
  constructor(bus: DeviceBus, memory: GuestMemory, allocator: Allocator, bufferSize = 1 << 16) {
    this.memory = memory;
    const wanted = VirtioFeature.VIRTIO_F_VERSION_1 | VirtioFeature.VIRTIO_F_ADMIN_VQ;
    this.driver = new GuestDriver(bus, memory, allocator, wanted);
    this.queue = this.driver.read("admin_queue_index");
    this.bufferSize = bufferSize;
    this.readableAt = allocator.take(bufferSize);
    this.writableAt = allocator.take(bufferSize);
  }

  /** Largest data, and largest result, of a command. */
  get payloadSize(): number {
    return this.bufferSize - commandBytes({ opcode: 0, memberId: 0 }).length;
  }

  /** Asks for the commands that the owner has for a group type, and says that all will be used that are known here. */
  useAll(groupType: number = VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SRIOV): number[] {
    const { result } = this.execute({
      opcode: VirtioAdminCommands.VIRTIO_ADMIN_CMD_LIST_QUERY,
      memberId: 0,
      groupType,
      room: LIST_ROOM,
    });
    const opcodes = decodeVirtioAdminCmdList(result)
      .deviceAdminCmdOpcodes.flatMap((word, index) =>
        Array.from({ length: WORD_BITS }, (_, bit) => bit)
          .filter((bit) => ((word >> BigInt(bit)) & 1n) === 1n)
          .map((bit) => index * WORD_BITS + bit),
      )
      .filter((opcode) => FAMILIAR.has(opcode));
    const words = new Array<bigint>(Math.floor(Math.max(0, ...opcodes) / WORD_BITS) + 1).fill(0n);
    for (const opcode of opcodes) {
      const word = Math.floor(opcode / WORD_BITS);
      words[word] = (words[word] ?? 0n) | (1n << BigInt(opcode % WORD_BITS));
    }
    this.execute({
      opcode: VirtioAdminCommands.VIRTIO_ADMIN_CMD_LIST_USE,
      memberId: 0,
      groupType,
      data: encodeVirtioAdminCmdList({ deviceAdminCmdOpcodes: words }),
    });
    this.used.set(groupType, new Set(opcodes));
    return opcodes;
  }

  /**
   * @throws AdminCommandError when the owner refuses; Error when it has not answered yet (see `submit`), and, before
   *   anything is sent, when the command is not in use.
   */
  execute(command: AdminCommand): AdminAnswer {
    const { opcode, groupType = VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SRIOV } = command;
    if (!LIST_COMMANDS.has(opcode) && !this.used.get(groupType)?.has(opcode)) {
      throw new Error(`command 0x${opcode.toString(16)} is not in use for group type ${groupType}`);
    }
    let answer = this.attempt(command);
    for (let attempt = 1; attempt < ATTEMPTS && answer.status === AGAIN; attempt++) {
      answer = this.attempt(command);
    }
    if (answer.status !== VirtioAdminStatus.VIRTIO_ADMIN_STATUS_OK) {
      throw new AdminCommandError(command.opcode, answer.status, answer.qualifier);
    }
    return answer;
  }

  /** The answer, whatever it is. */
  attempt(command: AdminCommand): AdminAnswer {
    this.submit(command);
    const answer = this.poll();
    if (answer === undefined) throw new Error("the owner has not answered yet");
    return answer;
  }

  /** The device-writable part as the owner leaves it, for a device-readable part of any bytes and length. */
  attemptRaw(readable: Uint8Array, room: number): Uint8Array {
    this.place(readable, room);
    const used = this.driver.queues[this.queue]?.poll();
    if (used === undefined) throw new Error("the owner has not answered yet");
    this.pending = false;
    return this.memory.read(this.writableAt, used.written);
  }

  /** One command at a time. */
  submit(command: AdminCommand): void {
    this.place(commandBytes(command), roundUp(ANSWER_HEAD + (command.room ?? 0)));
  }

  /** The answer to the command, once it is there. */
  poll(): AdminAnswer | undefined {
    const used = this.driver.queues[this.queue]?.poll();
    if (used === undefined) return undefined;
    this.pending = false;
    // What the owner has not written reads as zero.
    const bytes = new Uint8Array(Math.max(used.written, ANSWER_HEAD));
    bytes.set(this.memory.read(this.writableAt, used.written));
    const answer = readVirtioAdminCmdWritable(new Reader(bytes));
    return {
      status: answer.status,
      qualifier: answer.statusQualifier,
      output: answer.reserved2 ?? new Uint8Array(4),
      result: answer.commandSpecificResult,
    };
  }

  private place(readable: Uint8Array, room: number): void {
    if (this.pending) throw new Error("a command is not answered yet");
    if (readable.length > this.bufferSize || room > this.bufferSize) {
      throw new RangeError(`a command of ${readable.length} bytes, an answer of ${room}`);
    }
    this.memory.write(this.readableAt, readable);
    this.memory.write(this.writableAt, new Uint8Array(room));
    const id = this.driver.queues[this.queue]?.add({
      readable: [{ address: this.readableAt, length: readable.length }],
      writable: [{ address: this.writableAt, length: room }],
    });
    if (id === undefined) throw new Error("the administration virtqueue is full");
    this.pending = true;
    this.driver.kick(this.queue);
  }
}

function commandBytes({ opcode, memberId, groupType, data = NOTHING }: AdminCommand): Uint8Array {
  const bytes = encodeVirtioAdminCmdReadable({
    opcode,
    groupType: groupType ?? VirtioAdminGroupType.VIRTIO_ADMIN_GROUP_TYPE_SRIOV,
    groupMemberId: BigInt(memberId),
    commandSpecificData: data,
  });
  const whole = new Uint8Array(roundUp(bytes.length));
  whole.set(bytes);
  return whole;
}

function roundUp(size: number): number {
  return Math.ceil(size / UNIT) * UNIT;
}
