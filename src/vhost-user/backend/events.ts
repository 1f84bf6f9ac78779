/** What a back-end tells of itself while it runs. */
import type { DeviceState } from "../../device/index.js";

export type BackendEvent =
  /** A request was carried out; `name` as in the specification. */
  | { readonly kind: "request"; readonly name: string }
  /** Why a request was not carried out. */
  | { readonly kind: "refused"; readonly name: string; readonly error: Error }
  /** A virtqueue runs. */
  | { readonly kind: "started"; readonly queue: number }
  | { readonly kind: "stopped"; readonly queue: number }
  /** The driver has broken a virtqueue: it stays stopped until the front-end sets it up again. */
  | { readonly kind: "broken"; readonly queue: number; readonly error: Error }
  /** Buffers that a back-end before this one had taken, and that are served again. */
  | { readonly kind: "resumed"; readonly queue: number; readonly buffers: number }
  /** Writes to guest memory are logged, or no longer. */
  | { readonly kind: "logging"; readonly on: boolean }
  /** A page lies outside of the dirty log: the destination of the migration will not have it. */
  | { readonly kind: "unlogged"; readonly address: number }
  /** The state has gone out, or come in. */
  | { readonly kind: "saved"; readonly bytes: Uint8Array }
  | { readonly kind: "loaded"; readonly bytes: Uint8Array; readonly state: DeviceState }
  /** It could not. */
  | { readonly kind: "transfer-failed"; readonly error: Error }
  /** The front-end wants the guest announced after a migration. */
  | { readonly kind: "announced"; readonly mac: Uint8Array };
