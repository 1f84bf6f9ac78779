/** What is known of one error message: how to recognise it, what it says, and what usually helps. */
import type { Scene } from "./scene.js";
import type { Values } from "./values.js";

export interface Message {
  /** For programs, e.g. `virtio-features`. */
  readonly id: string;
  /**
   * As it stands in the source: a format of printf with the macros for integers written out (`PRIx64` is `llx`), or of
   * Rust's `format!`.
   */
  readonly format: string;
  /** How later versions of QEMU word it, with the values in the same order. */
  readonly later?: readonly string[];
  /** The first version of QEMU that is known to say it, when older ones do not. */
  readonly since?: string;
  /** The part of the format that is enough to recognise the message: people shorten what they paste. */
  readonly enough?: string;
  /** It says so little that it must be the whole line behind the usual prefixes. */
  readonly isWholeLine?: boolean;
  /** Names of what the format's conversions stand for, in order. */
  readonly values: readonly string[];
  readonly source: Source;
  readonly meaning: string;
  /** It only says where the message before it came from. */
  readonly isFollowUp?: boolean;
  /** What stands in the virtqueues in guest memory explains it. */
  readonly needsRings?: true;
  /** What usually helps. */
  readonly remedy: string;
  /** What it is about, where the message says so: other lines of the same log may be about the same. */
  readonly subject?: (values: Values) => Subject;
  /** What the values of this very line say. */
  readonly causes?: (values: Values, scene: Scene) => readonly string[];
  /** Where to look in the stream. */
  readonly places?: (values: Values, scene: Scene) => readonly Place[];
}

export interface Subject {
  /** The name of a section, e.g. `0000:00:02.0/virtio-net`. */
  readonly section?: string;
  readonly instanceId?: number;
  /** The name of a state inside it, e.g. `virtio-net`, `PCIDevice`. */
  readonly state?: string;
}

export interface Source {
  readonly project: "QEMU" | "virtiofsd";
  /** From the root of the project's source tree. */
  readonly file: string;
  readonly function: string;
}

export interface Place {
  /** The capture, as it was called on the command line. */
  readonly capture: string;
  /** From the start of the capture. */
  readonly at: number;
  readonly path: string | undefined;
  readonly text: string;
}
