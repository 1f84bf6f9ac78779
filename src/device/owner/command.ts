/** What a profile of administration commands consists of, and how lengths are treated in all of them. */
import type { VirtioDevice } from "../member/virtio-device.js";

/** What a command gives back. */
export interface Answer {
  /** The draft series' command_specific_output, at most 4 bytes; zeros in virtio 1.4. */
  readonly output?: Uint8Array;
  readonly result?: Uint8Array;
}

export interface CommandInput {
  /** As the driver sent it, not filled up. */
  readonly data: Uint8Array;
  /** How many bytes of a result the driver has room for. */
  readonly room: number;
}

/** One command for a member of the group. Throws AdminError. */
export interface MemberCommand {
  readonly opcode: number;
  /** Waits for the end of a reset or of a change of the power state that is in progress in the member. */
  readonly waits: boolean;
  /**
   * The command is carried out once the member has come to rest: nothing that it has begun is under way any more. What is
   * to be done so that it gets there; nothing for data that will be refused.
   */
  readonly settle?: (member: VirtioDevice, data: Uint8Array) => void;
  readonly run: (member: VirtioDevice, input: CommandInput) => Answer;
}

/** One command for the owner itself (the self group). Throws AdminError. */
export interface OwnerCommand {
  readonly opcode: number;
  readonly run: (input: CommandInput) => Answer;
}

/** The commands that an owner has besides LIST_QUERY and LIST_USE. */
export interface CommandProfile {
  readonly name: string;
  readonly memberCommands: readonly MemberCommand[];
  /** None: the owner has no self group. */
  readonly ownerCommands: readonly OwnerCommand[];
  /** The owner is reset by its driver. */
  reset(): void;
}

/** Exactly `size` bytes: what is missing reads as zero, what is beyond is ignored. */
export function fitted(data: Uint8Array, size: number): Uint8Array {
  if (data.length === size) return data;
  const exact = new Uint8Array(size);
  exact.set(data.subarray(0, size));
  return exact;
}
