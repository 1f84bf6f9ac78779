/**
 * The owner of a group of devices: what it has is an administration virtqueue, through which a driver carries out
 * commands on the members. The owner is a device type like others; its frame is a VirtioDevice.
 * @source virtio 1.4, Group administration commands; Administration Virtqueues (admin.tex)
 */
import {
  decodeVirtioAdminCmdList,
  encodeVirtioAdminCmdList,
  encodeVirtioAdminCmdWritable,
  readVirtioAdminCmdHead,
  sizeofVirtioAdminCmdWritable,
  VIRTIO_ADMIN_CMD_HEAD_SIZE,
  type VirtioAdminCmdHead,
  VirtioAdminGroupType,
  VirtioAdminStatus,
  VirtioAdminStatusQualifier,
} from "../../../generated/virtio/admin.js";
import { VirtioAdminCommands } from "../../../generated/virtio/admin-commands.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Reader, WireError } from "../../runtime/index.js";
import type { DevicePort, DeviceType } from "../member/device-type.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import type { DescriptorChain } from "../rings/chain.js";
import {
  AdminError,
  invalidCommand,
  invalidField,
  invalidGroup,
  invalidMember,
  invalidOpcode,
  noRoom,
} from "./admin-error.js";
import { type Answer, type CommandInput, type CommandProfile, fitted } from "./command.js";

const { VIRTIO_ADMIN_GROUP_TYPE_SELF, VIRTIO_ADMIN_GROUP_TYPE_SRIOV } = VirtioAdminGroupType;
const { VIRTIO_ADMIN_CMD_LIST_QUERY, VIRTIO_ADMIN_CMD_LIST_USE } = VirtioAdminCommands;
const WORD_BITS = 64;
/** Far more than any command takes. A chain can name the same memory over and over, and be longer than all of it. */
const MAX_DATA = 1 << 26;
/** Of commands that bring a member to rest, which have little. */
const SETTLE_DATA = 64;
/** A list is made of words: what the driver leaves out of the last one is zero. @unit bytes */
const LIST_WORD = encodeVirtioAdminCmdList({ deviceAdminCmdOpcodes: [0n] }).length;
/** A bit for each opcode, of 16 bits: what a list has behind them names nothing. @unit bytes */
const LIST_SIZE = (1 << 16) / 8;
const ENVELOPE_OUTPUT = 4;
const LIST_COMMANDS: ReadonlySet<number> = new Set<number>([
  VIRTIO_ADMIN_CMD_LIST_QUERY,
  VIRTIO_ADMIN_CMD_LIST_USE,
]);

const ANSWER_HEAD_SIZE = sizeofVirtioAdminCmdWritable({
  status: VirtioAdminStatus.VIRTIO_ADMIN_STATUS_OK,
  statusQualifier: VirtioAdminStatusQualifier.VIRTIO_ADMIN_STATUS_Q_OK,
  commandSpecificResult: new Uint8Array(0),
});

export interface OwnerOptions {
  /** Virtual functions by number, from 1 on. */
  readonly members: ReadonlyMap<number, VirtioDevice>;
  readonly profile: CommandProfile;
  readonly queueSize?: number;
  /** Is told of every command that was carried out. */
  readonly onCommand?: (command: CarriedOut) => void;
}

export interface CarriedOut {
  readonly opcode: number;
  readonly memberId: bigint;
  readonly status: number;
  readonly qualifier: number;
  /** Why it failed. */
  readonly reason: string | undefined;
}

export class OwnerDevice implements DeviceType {
  /** The owner does nothing else: no device type has it. */
  readonly id: number = VirtioDeviceId.VIRTIO_ID_INVALID;
  readonly features: bigint = VirtioFeature.VIRTIO_F_ADMIN_VQ | VirtioFeature.VIRTIO_F_SR_IOV;
  readonly queueSizes: readonly number[];
  readonly adminQueues = 1;
  readonly members: ReadonlyMap<number, VirtioDevice>;
  private readonly profile: CommandProfile;
  private readonly groups: ReadonlyMap<number, Group>;
  private readonly onCommand: OwnerOptions["onCommand"];
  private port: DevicePort | undefined;
  /** The first command of the queue, which waits for its member. */
  private waiting: DescriptorChain | undefined;

  constructor({ members, profile, queueSize = 64, onCommand }: OwnerOptions) {
    this.members = members;
    this.queueSizes = [queueSize];
    this.onCommand = onCommand;
    this.profile = profile;
    const groups = new Map([[VIRTIO_ADMIN_GROUP_TYPE_SRIOV as number, new Group(profile.memberCommands)]]);
    if (profile.ownerCommands.length > 0) {
      groups.set(VIRTIO_ADMIN_GROUP_TYPE_SELF, new Group(profile.ownerCommands));
    }
    this.groups = groups;
  }

  config(): Uint8Array {
    return new Uint8Array(0);
  }

  writeConfig(): void {}

  restoreConfig(): void {}

  start(port: DevicePort): void {
    this.port = port;
  }

  reset(): void {
    this.port = undefined;
    this.waiting = undefined;
    // One that was brought to rest for a command that nobody waits for any more.
    for (const member of this.members.values()) member.proceed();
    for (const group of this.groups.values()) group.used = LIST_COMMANDS;
    this.profile.reset();
  }

  /** Commands are carried out as they are taken; one that waits stays. */
  finish(): void {}

  resume(_queue: number, chain: DescriptorChain): void {
    this.waiting = chain;
  }

  /** Commands of a queue are carried out in order: one that waits for its member holds up those behind it. */
  serve(queue: number): boolean {
    const { port } = this;
    if (port === undefined) return false;
    const chain = this.waiting ?? port.take(queue);
    this.waiting = undefined;
    if (chain === undefined) return false;
    // Read once: a driver that changes the command meanwhile is not judged by one and served by another.
    const head = readHead(chain);
    const member = this.memberOf(head);
    if (member !== undefined && this.mustWait(queue, chain, head, member)) {
      this.waiting = chain;
      return false;
    }
    chain.write(this.answer(chain, head));
    member?.proceed();
    port.give(queue, chain);
    return true;
  }

  private memberOf({ groupType, groupMemberId }: VirtioAdminCmdHead): VirtioDevice | undefined {
    return groupType === VIRTIO_ADMIN_GROUP_TYPE_SRIOV ? this.members.get(Number(groupMemberId)) : undefined;
  }

  private mustWait(
    queue: number,
    chain: DescriptorChain,
    { opcode }: VirtioAdminCmdHead,
    member: VirtioDevice,
  ): boolean {
    const command = this.profile.memberCommands.find((one) => one.opcode === opcode);
    if (command === undefined) return false;
    if (command.waits && member.transition !== undefined) return true;
    if (command.settle === undefined || !this.groups.get(VIRTIO_ADMIN_GROUP_TYPE_SRIOV)?.used.has(opcode)) {
      return false;
    }
    member.rest();
    command.settle(member, chain.read(VIRTIO_ADMIN_CMD_HEAD_SIZE, SETTLE_DATA));
    if (member.rest()) return false;
    member.type.settled?.().then(() => this.port?.wake(queue));
    return true;
  }

  /** The writable part: never longer than what the driver has room for. */
  private answer(chain: DescriptorChain, head: VirtioAdminCmdHead): Uint8Array {
    const { opcode, groupType, groupMemberId } = head;
    const room = Math.max(0, chain.writableLength - ANSWER_HEAD_SIZE);
    let status: number = VirtioAdminStatus.VIRTIO_ADMIN_STATUS_OK;
    let qualifier: number = VirtioAdminStatusQualifier.VIRTIO_ADMIN_STATUS_Q_OK;
    let reason: string | undefined;
    let answer: Answer = {};
    try {
      const length = chain.readableLength - VIRTIO_ADMIN_CMD_HEAD_SIZE;
      if (length > MAX_DATA) throw noRoom(`${length} bytes of data, at most ${MAX_DATA} are taken`);
      const data = chain.read(VIRTIO_ADMIN_CMD_HEAD_SIZE, length);
      answer = this.run(opcode, groupType, groupMemberId, { data, room });
    } catch (error) {
      const failure = asAdminError(error);
      ({ status, qualifier, message: reason } = failure);
    }
    this.onCommand?.({ opcode, memberId: groupMemberId, status, qualifier, reason });
    return encodeVirtioAdminCmdWritable({
      status,
      statusQualifier: qualifier,
      reserved2: fitted(answer.output ?? NOTHING, ENVELOPE_OUTPUT),
      commandSpecificResult: answer.result ?? NOTHING,
    }).subarray(0, chain.writableLength);
  }

  /** Checks in the order of the specification: group, opcode, member. */
  private run(opcode: number, groupType: number, memberId: bigint, input: CommandInput): Answer {
    const group = this.groups.get(groupType);
    if (group === undefined) throw invalidGroup(`group type ${groupType}`);
    if (groupType === VIRTIO_ADMIN_GROUP_TYPE_SRIOV && this.members.size === 0) {
      throw invalidGroup("there are no members");
    }
    if (!group.used.has(opcode)) throw invalidOpcode(`opcode 0x${opcode.toString(16)} is not in use`);
    if (opcode === VIRTIO_ADMIN_CMD_LIST_QUERY) return { result: encodeList(group.supported) };
    if (opcode === VIRTIO_ADMIN_CMD_LIST_USE) {
      group.used = group.checked(input.data);
      return {};
    }
    if (groupType === VIRTIO_ADMIN_GROUP_TYPE_SELF) {
      const command = this.profile.ownerCommands.find((one) => one.opcode === opcode);
      if (command === undefined) throw invalidOpcode(`opcode 0x${opcode.toString(16)}`);
      return command.run(input);
    }
    const command = this.profile.memberCommands.find((one) => one.opcode === opcode);
    if (command === undefined) throw invalidOpcode(`opcode 0x${opcode.toString(16)}`);
    const member = this.members.get(Number(memberId));
    if (member === undefined) throw invalidMember(`no member ${memberId}`);
    return command.run(member, input);
  }
}

/** The commands of one group type: those that there are, and those that the driver has said it will use. */
class Group {
  readonly supported: ReadonlySet<number>;
  used: ReadonlySet<number> = LIST_COMMANDS;

  constructor(commands: readonly { readonly opcode: number }[]) {
    this.supported = new Set([...LIST_COMMANDS, ...commands.map(({ opcode }) => opcode)]);
  }

  /** @throws AdminError when the list has a command that there is not. */
  checked(data: Uint8Array): ReadonlySet<number> {
    // Millions of opcodes that no command can have would hold the owner up for minutes.
    if (data.subarray(LIST_SIZE).some((byte) => byte !== 0))
      throw invalidField("opcodes of more than 16 bits");
    const size = Math.min(LIST_SIZE, Math.ceil(data.length / LIST_WORD) * LIST_WORD);
    const opcodes = decodeList(fitted(data, size));
    for (const opcode of opcodes) {
      if (!this.supported.has(opcode)) throw invalidField(`opcode 0x${opcode.toString(16)} is not supported`);
    }
    return opcodes;
  }
}

const NOTHING = new Uint8Array(0);
function encodeList(opcodes: ReadonlySet<number>): Uint8Array {
  const words = Math.floor(Math.max(...opcodes) / WORD_BITS) + 1;
  const list = new Array<bigint>(words).fill(0n);
  for (const opcode of opcodes) {
    const word = Math.floor(opcode / WORD_BITS);
    list[word] = (list[word] ?? 0n) | (1n << BigInt(opcode % WORD_BITS));
  }
  return encodeVirtioAdminCmdList({ deviceAdminCmdOpcodes: list });
}

function decodeList(data: Uint8Array): Set<number> {
  const opcodes = new Set<number>();
  decodeVirtioAdminCmdList(data).deviceAdminCmdOpcodes.forEach((word, index) => {
    for (let bit = 0; word >> BigInt(bit) !== 0n; bit++) {
      if (((word >> BigInt(bit)) & 1n) === 1n) opcodes.add(index * WORD_BITS + bit);
    }
  });
  return opcodes;
}

/** The head of a command. Where the driver has sent less, zeros are read. */
function readHead(chain: DescriptorChain): VirtioAdminCmdHead {
  const head = chain.read(0, VIRTIO_ADMIN_CMD_HEAD_SIZE);
  return readVirtioAdminCmdHead(new Reader(fitted(head, VIRTIO_ADMIN_CMD_HEAD_SIZE)));
}

/** Data that cannot be read fails the command; anything else is a mistake of this program. */
function asAdminError(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  if (error instanceof WireError) return invalidField(error.message);
  if (error instanceof RangeError) return invalidCommand(error.message);
  throw error;
}
