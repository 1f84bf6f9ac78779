/**
 * Members that move as VFIO devices: records in PRE_COPY as far as the driver gives them, the last one in STOP_COPY.
 * @source Linux 7.2, drivers/vfio/pci/virtio/migrate.c
 */
import { GuestMemberFormat } from "../../../generated/migration/guest-stream.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { VfioError, type VfioVirtioDevice } from "../drivers/vfio-virtio.js";
import type { DirtyLog } from "./dirty-log.js";
import type { DestinationMember, ResetMember, SourceMember } from "./member.js";

/** Of one read, as user space does it. */
const PIECE = 1 << 16;

export class VfioSource implements SourceMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_VFIO_VIRTIO;
  readonly device: VirtioDeviceId;
  readonly writes: DirtyLog;
  private readonly vfio: VfioVirtioDevice;
  /** Of the latest record: the next one is about as long. */
  private latest = 0;

  /** `writes`: what the device writes, as the IOMMU or the host tells it. */
  constructor(vfio: VfioVirtioDevice, device: VirtioDeviceId, writes: DirtyLog) {
    this.vfio = vfio;
    this.device = device;
    this.writes = writes;
  }

  begin(): void {
    this.vfio.setState("PRE_COPY");
  }

  *changes(): Generator<Uint8Array> {
    this.vfio.precopyInfo();
    yield* this.read();
  }

  remaining(): number {
    return this.latest;
  }

  stop(): void {
    this.vfio.setState("PRE_COPY_P2P");
  }

  freeze(): void {
    this.vfio.setState("STOP_COPY");
  }

  rest(): Iterable<Uint8Array> {
    return this.read();
  }

  commit(): void {
    this.vfio.setState("STOP");
  }

  abort(): void {
    this.vfio.setState("RUNNING");
  }

  /** Up to where there is no more, for now or at all. */
  private *read(): Generator<Uint8Array> {
    let read = 0;
    while (true) {
      let piece: Uint8Array;
      try {
        piece = this.vfio.read(PIECE);
      } catch (error) {
        if (error instanceof VfioError && error.code === "ENOMSG") break;
        throw error;
      }
      if (piece.length === 0) break;
      read += piece.length;
      yield piece;
    }
    if (read > 0) this.latest = read;
  }
}

export class VfioDestination implements DestinationMember {
  readonly format: GuestMemberFormat = GuestMemberFormat.GUEST_MEMBER_VFIO_VIRTIO;
  readonly device: VirtioDeviceId;
  private readonly vfio: VfioVirtioDevice;
  private readonly reset: ResetMember;

  constructor(vfio: VfioVirtioDevice, device: VirtioDeviceId, reset: ResetMember) {
    this.vfio = vfio;
    this.device = device;
    this.reset = reset;
  }

  begin(): void {
    this.vfio.setState("RESUMING");
  }

  write(bytes: Uint8Array): void {
    this.vfio.write(bytes);
  }

  end(): void {
    if (this.vfio.isRecordPartial) throw new RangeError("the state ends inside of a record");
  }

  load(): void {
    this.vfio.setState("RUNNING_P2P");
  }

  resume(): void {
    this.vfio.setState("RUNNING");
  }

  abort(): void {
    this.reset();
    this.vfio.setState("RUNNING");
  }
}
