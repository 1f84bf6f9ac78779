/**
 * A member of the group as the orchestrator sees it, whatever set of commands moves it. All members of a guest take each
 * step before one of them takes the next: devices that reach each other's memory must all be quiet before one is frozen.
 */
import type { GuestMemberFormat } from "../../../generated/migration/guest-stream.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { DirtyLog } from "./dirty-log.js";

/** What both sides must agree on. */
export interface MemberKind {
  readonly format: GuestMemberFormat;
  readonly device: VirtioDeviceId;
}

/** A member that leaves. Every method may throw what its driver throws; the migration is given up then. */
export interface SourceMember extends MemberKind {
  /** What the device writes into guest memory. */
  readonly writes: DirtyLog;
  /** The device runs on. */
  begin(): void;
  /** A whole state in pieces, while the device runs; none when it is worth nothing or nothing is new. */
  changes(): Iterable<Uint8Array>;
  /** About how many bytes are to be read when the device is frozen. */
  remaining(): number;
  /** The device touches no memory any more; others may still reach it. */
  stop(): void;
  /** Nothing of its state changes any more. */
  freeze(): void;
  /** The state that counts, whole, in pieces. */
  rest(): Iterable<Uint8Array>;
  /** The guest runs elsewhere. The device stays as it is; a reset makes it free for another guest. */
  commit(): void;
  /** From anywhere behind `begin`: as if that had never been. */
  abort(): void;
}

/** A member that a device arrives at: one that is as new, as a reset leaves it. */
export interface DestinationMember extends MemberKind {
  /** Ready for states; the device touches no memory. */
  begin(): void;
  /** The next bytes of a state, cut anywhere. */
  write(bytes: Uint8Array): void;
  /** The state is whole. Another one may follow, and then counts. */
  end(): void;
  /** The last state was whole: the device takes it over, and touches no memory yet. */
  load(): void;
  /** The guest is there. */
  resume(): void;
  /** From anywhere between `begin` and `resume`: the device is as new. */
  abort(): void;
}

/** A function-level reset, which the host's bus has and no administration command. */
export type ResetMember = () => void;
