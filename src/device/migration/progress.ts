/** What a migration tells of itself while it goes on, and when the guest is worth stopping. */
import type { MigrationError } from "./migration-error.js";

/** Pages and states that were sent between two looks at what is dirty. */
export interface RoundReport {
  /** From 0, which sends all of memory. */
  readonly round: number;
  /** The guest was stopped: this is the last round. */
  readonly stopped: boolean;
  /** Pages that were sent, those of zeros among them. */
  readonly pages: number;
  readonly zeroPages: number;
  /** Of states of devices. */
  readonly stateBytes: number;
  /** All that went over the connection. */
  readonly bytes: number;
  /** Until the other side had taken all of it. */
  readonly milliseconds: number;
  readonly bytesPerSecond: number;
  /** Pages that were written meanwhile. */
  readonly dirtyPages: number;
  /** How long the guest would be stopped if that were now, in ms. */
  readonly estimatedDowntime: number;
}

export type MigrationEvent =
  | {
      readonly kind: "begin";
      /** Of the guest's memory, in bytes. */
      readonly memory: number;
      readonly pageSize: number;
      readonly members: number;
    }
  /** Pages are there, out of those of the round; the receiving side does not know how many that are. */
  | {
      readonly kind: "pages";
      readonly round: number;
      readonly pages: number;
      readonly of: number | undefined;
    }
  /** A piece of a member's state, lent until the listener returns. */
  | { readonly kind: "state"; readonly member: number; readonly bytes: Uint8Array }
  | { readonly kind: "state-end"; readonly member: number }
  /** Told by the sending side. */
  | { readonly kind: "round"; readonly report: RoundReport }
  /** Processors and devices stand still. */
  | { readonly kind: "stopped" }
  /** The devices of the destination have taken everything over. */
  | { readonly kind: "loaded" }
  /** The guest runs at the destination. */
  | { readonly kind: "resumed" }
  /** The migration was given up, and has left nothing but `leftovers` of the error. */
  | { readonly kind: "aborted"; readonly error: MigrationError };

/** Decides after each round whether the guest is stopped now. */
export type SwitchoverPolicy = (round: RoundReport) => boolean;

/** Once the guest would not stand still for longer than `milliseconds`, or when `rounds` have not come to that. */
export function withinDowntime(milliseconds: number, rounds = 30): SwitchoverPolicy {
  return ({ estimatedDowntime, round }) => estimatedDowntime <= milliseconds || round + 1 >= rounds;
}

/** Once at most so many pages are dirty, or when `rounds` have not come to that. */
export function withFewPages(pages: number, rounds = 30): SwitchoverPolicy {
  return ({ dirtyPages, round }) => dirtyPages <= pages || round + 1 >= rounds;
}
