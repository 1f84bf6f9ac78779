/**
 * Members that move by the draft series' commands: contexts while the device is Active, one more in Freeze, which counts.
 * @source virtio-comment v2 1/8, theory of operation
 */
import { GuestMemberFormat } from "../../../generated/migration/guest-stream.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { DraftV2Driver } from "../drivers/draft-v2-driver.js";
import type { MigrationMode } from "../member/migration-mode.js";
import { type DirtyLog, WriteRecordLog } from "./dirty-log.js";
import type { DestinationMember, ResetMember, SourceMember } from "./member.js";

/** Commands are filled up to a multiple of this: a shorter piece would put zeros into the middle of a context. */
const UNIT = 8;

export class DeviceContextSource implements SourceMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_DEVICE_CONTEXT;
  readonly device: VirtioDeviceId;
  readonly writes: DirtyLog;
  private readonly driver: DraftV2Driver;
  private before: MigrationMode = "active";

  constructor(driver: DraftV2Driver, device: VirtioDeviceId) {
    this.driver = driver;
    this.device = device;
    this.writes = new WriteRecordLog(driver);
  }

  begin(): void {
    this.before = this.driver.mode();
    // What somebody has begun to read belongs to no migration of ours.
    this.driver.discard();
  }

  changes(): Iterable<Uint8Array> {
    return this.driver.readContext();
  }

  remaining(): number {
    return this.driver.contextSize(true);
  }

  stop(): void {
    // A context that is partly read keeps a device from changing its mode.
    this.driver.discard();
    if (this.driver.mode() === "active") this.driver.setMode("stop");
  }

  freeze(): void {
    this.driver.setMode("freeze");
  }

  *rest(): Generator<Uint8Array> {
    // Also where the device was in Freeze before, and has told its context already.
    this.driver.discard();
    yield* this.driver.readContext();
  }

  commit(): void {}

  abort(): void {
    this.driver.discard();
    this.driver.setMode(this.before);
  }
}

export class DeviceContextDestination implements DestinationMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_DEVICE_CONTEXT;
  readonly device: VirtioDeviceId;
  private readonly driver: DraftV2Driver;
  private readonly reset: ResetMember;
  /** Bytes behind the last whole unit. */
  private held = new Uint8Array(0);

  constructor(driver: DraftV2Driver, device: VirtioDeviceId, reset: ResetMember) {
    this.driver = driver;
    this.device = device;
    this.reset = reset;
  }

  begin(): void {
    this.driver.setMode("freeze");
  }

  write(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.held.length + bytes.length);
    joined.set(this.held);
    joined.set(bytes, this.held.length);
    const whole = joined.length - (joined.length % UNIT);
    this.held = joined.subarray(whole);
    if (whole > 0) this.driver.writeContext(joined.subarray(0, whole));
  }

  end(): void {
    const { held } = this;
    this.held = new Uint8Array(0);
    if (held.length > 0) this.driver.writeContext(held);
  }

  load(): void {
    this.driver.setMode("stop");
  }

  resume(): void {
    this.driver.setMode("active");
  }

  abort(): void {
    this.held = new Uint8Array(0);
    this.driver.discard();
    // A context that was written whole would take effect with the next mode.
    this.reset();
    this.driver.setMode("active");
  }
}
