/**
 * A driver that reaches the legacy interface of members through their owner, as a hypervisor does for a legacy driver in a
 * guest: what the guest does to the registers of its device becomes commands.
 * @source virtio 1.4, Legacy Interfaces (admin-cmds-legacy-interface.tex)
 */
import {
  decodeVirtioAdminCmdNotifyInfoResult,
  encodeVirtioAdminCmdLegacyRdData,
  encodeVirtioAdminCmdLegacyWrData,
  VIRTIO_ADMIN_CMD_NOTIFY_INFO_RESULT_SIZE,
  VirtioAdminCmdNotifyInfoFlags,
  VirtioAdminCommands,
} from "../../../generated/virtio/admin-commands.js";
import {
  encodeVirtioPciLegacyCommonCfg,
  type VirtioPciLegacyCommonCfg,
  walkVirtioPciLegacyCommonCfg,
} from "../../../generated/virtio/pci.js";
import { Reader } from "../../runtime/index.js";
import { type Register, registersOf } from "../member/registers.js";
import type { NotifyAddress } from "../owner/legacy-access.js";
import type { AdminDriver } from "./admin-driver.js";

const C = VirtioAdminCommands;
const { VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_DEV, VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM } =
  VirtioAdminCmdNotifyInfoFlags;
const NOTIFICATION_BYTES = 2;

/** Sizes of base address registers, by number, in bytes. */
export interface AddressRegisters {
  readonly owner: ReadonlyMap<number, bigint>;
  readonly member: ReadonlyMap<number, bigint>;
}

export class LegacyDriver {
  private readonly admin: AdminDriver;
  private readonly memberId: number;
  private readonly registers: readonly Register[];

  /** The commands must be in use (see AdminDriver.useAll). `msixEnabled`: as in the member's PCI configuration. */
  constructor(admin: AdminDriver, memberId: number, msixEnabled = true) {
    this.admin = admin;
    this.memberId = memberId;
    const bytes = encodeVirtioPciLegacyCommonCfg(emptyRegisters(msixEnabled), msixEnabled);
    this.registers = registersOf((visitor) =>
      walkVirtioPciLegacyCommonCfg(new Reader(bytes), visitor, msixEnabled),
    );
  }

  /** A register by its name in the schema. */
  read(name: string): number {
    const { at, size } = this.register(name);
    const bytes = this.readAt(C.VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ, at, size);
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  write(name: string, value: number): void {
    const { at, size } = this.register(name);
    const bytes = new Uint8Array(size);
    for (let i = 0, left = value; i < size; i++, left = Math.floor(left / 256)) bytes[i] = left % 256;
    this.writeAt(C.VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE, at, bytes);
  }

  /** Of the device-specific configuration: bytes that must lie in one field of it. */
  readConfig(offset: number, length: number): Uint8Array {
    return this.readAt(C.VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ, offset, length);
  }

  writeConfig(offset: number, bytes: Uint8Array): void {
    this.writeAt(C.VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE, offset, bytes);
  }

  /**
   * Where notifications can be written to, the preferred one first. What the owner says is checked: an address that cannot
   * be one is left out.
   */
  notifyAddresses(sizes: AddressRegisters): NotifyAddress[] {
    const { result } = this.admin.execute({
      opcode: C.VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO,
      memberId: this.memberId,
      room: VIRTIO_ADMIN_CMD_NOTIFY_INFO_RESULT_SIZE,
    });
    // What the owner has not written reads as zero, and so as the end of the list.
    const whole = new Uint8Array(VIRTIO_ADMIN_CMD_NOTIFY_INFO_RESULT_SIZE);
    whole.set(result.subarray(0, whole.length));
    const addresses: NotifyAddress[] = [];
    for (const { flags, bar, offset } of decodeVirtioAdminCmdNotifyInfoResult(whole).entries) {
      if (flags === VirtioAdminCmdNotifyInfoFlags.VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_END) break;
      const device = OWNERS.get(flags);
      const size = device === undefined ? undefined : sizes[device].get(bar);
      if (device === undefined || size === undefined || offset % 2n !== 0n) continue;
      if (offset + BigInt(NOTIFICATION_BYTES) <= size) addresses.push({ device, bar, offset });
    }
    return addresses;
  }

  private register(name: string): Register {
    const register = this.registers.find((one) => one.name === name);
    if (register === undefined) throw new RangeError(`no register is called ${name}`);
    return register;
  }

  private readAt(opcode: number, offset: number, length: number): Uint8Array {
    const { result } = this.admin.execute({
      opcode,
      memberId: this.memberId,
      data: encodeVirtioAdminCmdLegacyRdData({ offset }),
      room: length,
    });
    return result.slice(0, length);
  }

  private writeAt(opcode: number, offset: number, bytes: Uint8Array): void {
    this.admin.execute({
      opcode,
      memberId: this.memberId,
      data: encodeVirtioAdminCmdLegacyWrData({ offset, registers: bytes }),
    });
  }
}

const OWNERS: ReadonlyMap<number, NotifyAddress["device"]> = new Map<number, NotifyAddress["device"]>([
  [VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_DEV, "owner"],
  [VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM, "member"],
]);

function emptyRegisters(msixEnabled: boolean): VirtioPciLegacyCommonCfg {
  return {
    deviceFeatures: 0,
    driverFeatures: 0,
    queueAddress: 0,
    queueSize: 0,
    queueSelect: 0,
    queueNotify: 0,
    deviceStatus: 0,
    isrStatus: 0,
    ...(msixEnabled ? { configMsixVector: 0, queueMsixVector: 0 } : {}),
  };
}
