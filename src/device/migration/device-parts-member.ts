/**
 * Members that move by the device parts of virtio 1.4: nothing while the device runs, all parts once it is stopped.
 * @source virtio 1.4, Device parts (admin-cmds-device-parts.tex)
 */
import { GuestMemberFormat } from "../../../generated/migration/guest-stream.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { DevicePartsDriver } from "../drivers/device-parts-driver.js";
import type { DirtyLog } from "./dirty-log.js";
import type { DestinationMember, ResetMember, SourceMember } from "./member.js";

export class DevicePartsSource implements SourceMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_DEVICE_PARTS;
  readonly device: VirtioDeviceId;
  readonly writes: DirtyLog;
  private readonly driver: DevicePartsDriver;

  /** `writes`: virtio 1.4 has no write records, so the host says what the device writes. */
  constructor(driver: DevicePartsDriver, device: VirtioDeviceId, writes: DirtyLog) {
    this.driver = driver;
    this.device = device;
    this.writes = writes;
  }

  begin(): void {}

  changes(): Iterable<Uint8Array> {
    // Parts are all or nothing: those of now would be replaced, and save nothing.
    return [];
  }

  remaining(): number {
    return this.driver.partsSize();
  }

  stop(): void {
    this.driver.stop();
  }

  freeze(): void {}

  *rest(): Generator<Uint8Array> {
    yield this.driver.getParts();
  }

  commit(): void {
    this.driver.close();
  }

  abort(): void {
    this.driver.close();
    this.driver.resume();
  }
}

export class DevicePartsDestination implements DestinationMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_DEVICE_PARTS;
  readonly device: VirtioDeviceId;
  private readonly driver: DevicePartsDriver;
  private readonly reset: ResetMember;
  /** A device takes no parts of parts: they are gathered until all are there. */
  private gathered: Uint8Array[] = [];

  constructor(driver: DevicePartsDriver, device: VirtioDeviceId, reset: ResetMember) {
    this.driver = driver;
    this.device = device;
    this.reset = reset;
  }

  begin(): void {
    this.driver.stop();
  }

  write(bytes: Uint8Array): void {
    this.gathered.push(bytes.slice());
  }

  end(): void {
    const parts = new Uint8Array(this.gathered.reduce((size, { length }) => size + length, 0));
    let at = 0;
    for (const piece of this.gathered) {
      parts.set(piece, at);
      at += piece.length;
    }
    this.gathered = [];
    this.driver.setParts(parts);
  }

  load(): void {
    this.driver.close();
  }

  resume(): void {
    this.driver.resume();
  }

  abort(): void {
    this.gathered = [];
    this.driver.close();
    this.reset();
    this.driver.resume();
  }
}
