/**
 * Commands through which the owner's driver reaches the legacy interface of a member, for a legacy driver in a guest.
 *
 * An access has to lie in one register. How long it is, only the command's length says, and drivers have to fill
 * commands up to a multiple of 8 bytes: zeros behind a register, up to such a multiple, are taken for that, and a read
 * with such room gives the register alone. Linux does not fill up.
 * @source virtio 1.4, Legacy Interfaces (admin-cmds-legacy-interface.tex)
 */
import {
  encodeVirtioAdminCmdNotifyInfoResult,
  readVirtioAdminCmdLegacyRdData,
  readVirtioAdminCmdLegacyWrData,
  sizeofVirtioAdminCmdLegacyWrData,
  VIRTIO_ADMIN_CMD_LEGACY_RD_DATA_SIZE,
  type VirtioAdminCmdNotifyInfoData,
  VirtioAdminCmdNotifyInfoFlags,
  VirtioAdminCommands,
} from "../../../generated/virtio/admin-commands.js";
import { walkVirtioDeviceConfig } from "../../../generated/virtio/device-config.js";
import { Reader } from "../../runtime/index.js";
import { LegacyConfig } from "../member/legacy-config.js";
import { type Register, registerAt, registersOf } from "../member/registers.js";
import type { VirtioDevice } from "../member/virtio-device.js";
import { invalidField } from "./admin-error.js";
import { type Answer, type CommandInput, fitted, type MemberCommand } from "./command.js";

const {
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO,
} = VirtioAdminCommands;
const {
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_END,
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_DEV,
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM,
} = VirtioAdminCmdNotifyInfoFlags;

/** Members are little-endian here, whatever their guests are: the commands assume so. */
const LITTLE = true;
/** Commands are filled up to a multiple of this. */
const FILL = 8;
/** Entries of a list of addresses; the last one ends it. */
const ENTRIES = 4;
const NOTHING = new Uint8Array(0);
const WRITE_HEAD = sizeofVirtioAdminCmdLegacyWrData({ offset: 0, registers: NOTHING });
const END: VirtioAdminCmdNotifyInfoData = {
  flags: VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_END,
  bar: 0,
  offset: 0n,
};

/** Where a driver notification can be written to instead of sending a command. */
export interface NotifyAddress {
  /** Whose base address register it is. */
  readonly device: "owner" | "member";
  /** 1 to 5: the first one of a member is not there. */
  readonly bar: number;
  /** In the base address register: an even number of bytes. */
  readonly offset: bigint;
}

export interface LegacyOptions {
  /** Whether MSI-X is turned on in a member's PCI configuration: there are two registers more then. Yes, when left out. */
  readonly msixEnabled?: (member: VirtioDevice) => boolean;
  /** Up to three, the preferred one first. None of them: there is no command that tells them. */
  readonly notifyAddresses?: (member: VirtioDevice) => readonly NotifyAddress[];
}

/** All of the four commands, and the fifth when there are addresses. */
export function legacyCommands({
  msixEnabled = () => true,
  notifyAddresses,
}: LegacyOptions): MemberCommand[] {
  const command = (
    opcode: number,
    run: (member: VirtioDevice, input: CommandInput) => Answer,
  ): MemberCommand => ({ opcode, waits: false, run });
  const common = (member: VirtioDevice): LegacyConfig => new LegacyConfig(member, msixEnabled(member));
  const commands = [
    command(VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE, (member, { data }) => {
      const config = common(member);
      const { register, offset, bytes } = writeAccess(config.registers, data);
      config.write(register, offset, bytes);
      return {};
    }),
    command(VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ, (member, input) => {
      const config = common(member);
      const { register, offset, length } = readAccess(config.registers, input);
      return { result: config.read(register, offset, length) };
    }),
    command(VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE, (member, { data }) => {
      const { offset, bytes } = writeAccess(deviceRegisters(member), data);
      member.writeConfig(offset, bytes);
      return {};
    }),
    command(VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ, (member, input) => {
      const { offset, length } = readAccess(deviceRegisters(member), input);
      return { result: member.type.config().slice(offset, offset + length) };
    }),
  ];
  if (notifyAddresses !== undefined) {
    commands.push(
      command(VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO, (member) => ({
        result: encodeVirtioAdminCmdNotifyInfoResult({ entries: entriesOf(notifyAddresses(member)) }),
      })),
    );
  }
  return commands;
}

function deviceRegisters(member: VirtioDevice): Register[] {
  const config = new Reader(member.type.config());
  return registersOf((visitor) => walkVirtioDeviceConfig(config, visitor, member.type.id, LITTLE));
}

/** @throws AdminError when the access is not to one register. */
function writeAccess(
  registers: readonly Register[],
  data: Uint8Array,
): { readonly register: Register; readonly offset: number; readonly bytes: Uint8Array } {
  const whole = fitted(data, Math.max(data.length, WRITE_HEAD));
  const { offset, registers: bytes } = readVirtioAdminCmdLegacyWrData(new Reader(whole));
  const { register, length } = accessTo(registers, offset, bytes.length);
  if (bytes.subarray(length).some((byte) => byte !== 0)) throw invalidField(`bytes behind ${register.name}`);
  return { register, offset, bytes: bytes.subarray(0, length) };
}

/** @throws AdminError likewise. */
function readAccess(
  registers: readonly Register[],
  { data, room }: CommandInput,
): { readonly register: Register; readonly offset: number; readonly length: number } {
  const { offset } = readVirtioAdminCmdLegacyRdData(
    new Reader(fitted(data, VIRTIO_ADMIN_CMD_LEGACY_RD_DATA_SIZE)),
  );
  return { offset, ...accessTo(registers, offset, room) };
}

/** The register, and how many of the `given` bytes are meant for it. */
function accessTo(
  registers: readonly Register[],
  offset: number,
  given: number,
): { readonly register: Register; readonly length: number } {
  const register = registerAt(registers, offset);
  if (register === undefined || given === 0) throw invalidField(`${given} bytes at ${offset}: no register`);
  const left = register.at + register.size - offset;
  if (given > left && given !== Math.ceil(left / FILL) * FILL) {
    throw invalidField(`${given} bytes at ${offset}: ${left} of them are ${register.name}`);
  }
  return { register, length: Math.min(given, left) };
}

/** @throws RangeError for addresses that no driver may be told: a mistake of the owner's own. */
function entriesOf(addresses: readonly NotifyAddress[]): VirtioAdminCmdNotifyInfoData[] {
  if (addresses.length >= ENTRIES) throw new RangeError(`${addresses.length} notification addresses`);
  const entries = addresses.map(({ device, bar, offset }) => {
    if (bar < 1 || bar > 5 || offset % 2n !== 0n) {
      throw new RangeError(`a notification address at ${offset} of base address register ${bar}`);
    }
    const flags =
      device === "owner"
        ? VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_DEV
        : VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM;
    return { flags, bar, offset };
  });
  return [...entries, ...new Array<VirtioAdminCmdNotifyInfoData>(ENTRIES - entries.length).fill(END)];
}
