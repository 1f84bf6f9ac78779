/**
 * The migration states of a VFIO device, and the arcs by which one is reached from another: as data, for a device with
 * STOP_COPY, P2P and PRE_COPY.
 * @source Linux 7.2, drivers/vfio/vfio_main.c, vfio_mig_get_next_state
 */

export const VFIO_STATES = [
  "STOP",
  "RUNNING",
  "PRE_COPY",
  "PRE_COPY_P2P",
  "STOP_COPY",
  "RESUMING",
  "RUNNING_P2P",
  "ERROR",
] as const;

export type VfioState = (typeof VFIO_STATES)[number];

type Row = Readonly<Record<VfioState, VfioState>>;

/** By the state that a device is in, then by the one that is wanted: the next state on the way. */
export const NEXT_STATE: Readonly<Record<VfioState, Row>> = {
  STOP: {
    STOP: "STOP",
    RUNNING: "RUNNING_P2P",
    PRE_COPY: "RUNNING_P2P",
    PRE_COPY_P2P: "RUNNING_P2P",
    STOP_COPY: "STOP_COPY",
    RESUMING: "RESUMING",
    RUNNING_P2P: "RUNNING_P2P",
    ERROR: "ERROR",
  },
  RUNNING: {
    STOP: "RUNNING_P2P",
    RUNNING: "RUNNING",
    PRE_COPY: "PRE_COPY",
    PRE_COPY_P2P: "RUNNING_P2P",
    STOP_COPY: "RUNNING_P2P",
    RESUMING: "RUNNING_P2P",
    RUNNING_P2P: "RUNNING_P2P",
    ERROR: "ERROR",
  },
  PRE_COPY: {
    STOP: "RUNNING",
    RUNNING: "RUNNING",
    PRE_COPY: "PRE_COPY",
    PRE_COPY_P2P: "PRE_COPY_P2P",
    STOP_COPY: "PRE_COPY_P2P",
    RESUMING: "RUNNING",
    RUNNING_P2P: "RUNNING",
    ERROR: "ERROR",
  },
  PRE_COPY_P2P: {
    STOP: "RUNNING_P2P",
    RUNNING: "RUNNING_P2P",
    PRE_COPY: "PRE_COPY",
    PRE_COPY_P2P: "PRE_COPY_P2P",
    STOP_COPY: "STOP_COPY",
    RESUMING: "RUNNING_P2P",
    RUNNING_P2P: "RUNNING_P2P",
    ERROR: "ERROR",
  },
  STOP_COPY: {
    STOP: "STOP",
    RUNNING: "STOP",
    PRE_COPY: "ERROR",
    PRE_COPY_P2P: "ERROR",
    STOP_COPY: "STOP_COPY",
    RESUMING: "STOP",
    RUNNING_P2P: "STOP",
    ERROR: "ERROR",
  },
  RESUMING: {
    STOP: "STOP",
    RUNNING: "STOP",
    PRE_COPY: "STOP",
    PRE_COPY_P2P: "STOP",
    STOP_COPY: "STOP",
    RESUMING: "RESUMING",
    RUNNING_P2P: "STOP",
    ERROR: "ERROR",
  },
  RUNNING_P2P: {
    STOP: "STOP",
    RUNNING: "RUNNING",
    PRE_COPY: "RUNNING",
    PRE_COPY_P2P: "PRE_COPY_P2P",
    STOP_COPY: "STOP",
    RESUMING: "STOP",
    RUNNING_P2P: "RUNNING_P2P",
    ERROR: "ERROR",
  },
  ERROR: {
    STOP: "ERROR",
    RUNNING: "ERROR",
    PRE_COPY: "ERROR",
    PRE_COPY_P2P: "ERROR",
    STOP_COPY: "ERROR",
    RESUMING: "ERROR",
    RUNNING_P2P: "ERROR",
    ERROR: "ERROR",
  },
};

/**
 * The states that are passed on the way, the wanted one last. Undefined when there is no way: −EINVAL of the kernel.
 */
export function pathBetween(from: VfioState, to: VfioState): readonly VfioState[] | undefined {
  const path: VfioState[] = [];
  for (let at = from; at !== to; ) {
    const next = NEXT_STATE[at][to];
    if (next === "ERROR" || path.includes(next)) return undefined;
    path.push(next);
    at = next;
  }
  return path;
}
