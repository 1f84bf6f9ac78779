/**
 * The migration states of a VFIO device, and the arcs by which one is reached from another: as data, for a device with
 * STOP_COPY, P2P and PRE_COPY. One without the latter two passes over the states that need them.
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

/** What a device can do besides STOP_COPY. */
export type VfioFeature = "P2P" | "PRE_COPY";

/** What a device has to be able to do so that it can be in a state; nothing for states that are not here. */
const NEEDED: Readonly<Partial<Record<VfioState, readonly VfioFeature[]>>> = {
  PRE_COPY: ["PRE_COPY"],
  PRE_COPY_P2P: ["P2P", "PRE_COPY"],
  RUNNING_P2P: ["P2P"],
};

/**
 * The states that are passed on the way, the wanted one last. Undefined when there is no way: −EINVAL of the kernel.
 * `features`: of the device; states that it cannot be in are passed over.
 */
export function pathBetween(
  from: VfioState,
  to: VfioState,
  features: readonly VfioFeature[] = ["P2P", "PRE_COPY"],
): readonly VfioState[] | undefined {
  const isPossible = (state: VfioState): boolean =>
    (NEEDED[state] ?? []).every((feature) => features.includes(feature));
  if (!isPossible(from) || !isPossible(to)) return undefined;
  const path: VfioState[] = [];
  for (let at = from; at !== to; ) {
    let next = NEXT_STATE[at][to];
    while (!isPossible(next)) next = NEXT_STATE[next][to];
    if (next === "ERROR" || path.includes(next)) return undefined;
    path.push(next);
    at = next;
  }
  return path;
}
