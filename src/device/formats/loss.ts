/** What a format of migration cannot hold of a device's state. */

export interface Loss {
  /** Of the state, e.g. `queues[2].standing`. */
  readonly path: string;
  readonly reason: string;
}

/** A state in a format, and what is not in it. */
export interface Written {
  readonly bytes: Uint8Array;
  readonly losses: readonly Loss[];
}
