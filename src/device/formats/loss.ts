/** What a format of migration cannot hold of a device's state, and what it does not say. */

export interface Loss {
  /**
   * `lost`: the device goes on without it. `elsewhere`: it is not state that a format of this kind carries; the destination
   * has to be built that way, or another part of the migration brings it.
   */
  readonly kind: "lost" | "elsewhere";
  /** Of the state, in the source's names, e.g. `queues[2].available`. */
  readonly path: string;
  /** What was there, for people. */
  readonly value?: string | undefined;
  readonly reason: string;
}

/** What a format does not say, and what was taken for it. */
export interface Assumption {
  readonly path: string;
  /** For people. */
  readonly value: string;
  readonly reason: string;
}

/** A state in a format, and what is not in it. */
export interface Written {
  readonly bytes: Uint8Array;
  readonly losses: readonly Loss[];
}
