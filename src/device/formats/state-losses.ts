/**
 * What a format has lost of a state: the state is read back from it and compared, so that the report says what is
 * missing, and nothing else. Guest memory moves by itself: what it still says is not lost.
 */
import { type DeviceState, NO_VECTOR, type QueueState, RESET_NET } from "../member/device-state.js";
import type { Loss } from "./loss.js";
import { deviceFields, isPacked, queueFields } from "./state-fields.js";

/** Why a format does not hold a field. */
interface LossReason {
  readonly path: RegExp;
  readonly reason: string;
  /** `lost` when left out. */
  readonly kind?: Loss["kind"];
  /** Of which states it is true; of all when left out. */
  readonly when?: (state: DeviceState) => boolean;
}

/** The first that fits counts. */
export type LossReasons = readonly LossReason[];

/** What no format but QEMU's has a place for. */
export const INTERRUPT_STATUS: LossReasons = [
  {
    path: /^isr$/,
    reason: "there is no place for the interrupt status, which a driver that uses MSI-X does not read",
    kind: "elsewhere",
    when: ({ configMsixVector, queues }) =>
      configMsixVector !== NO_VECTOR || queues.some(({ msixVector }) => msixVector !== NO_VECTOR),
  },
  { path: /^isr$/, reason: "there is no place for the interrupt status: an interrupt may get lost" },
];

/** `after`: what was read back. */
export function stateLosses(before: DeviceState, after: DeviceState, reasons: LossReasons): Loss[] {
  const left = withDefaults(withGuestMemory(after, before));
  const losses: Loss[] = [];
  const compare = (fields: Fields, others: Fields, prefix: string): void => {
    if (isSame(fields, others)) return;
    const found = new Map(others);
    for (const [name, value] of fields) {
      if (found.get(name) === value) continue;
      const path = prefix + name;
      const match = reasons.find((one) => one.path.test(path) && (one.when?.(before) ?? true));
      const { reason = "the format has no place for it", kind = "lost" } = match ?? {};
      losses.push({ kind, path, value, reason });
    }
  };
  compare([...deviceFields(before)], [...deviceFields(left)], "");
  const [wasPacked, packed] = [isPacked(before), isPacked(left)];
  before.queues.forEach((queue, index) => {
    const other = left.queues[index];
    const others = other === undefined ? [] : queueFields(other, packed);
    compare(queueFields(queue, wasPacked), others, `queues[${index}].`);
  });
  return losses;
}

type Fields = readonly (readonly [name: string, value: string])[];

function isSame(a: Fields, b: Fields): boolean {
  return a.length === b.length && a.every(([name, value], i) => name === b[i]?.[0] && value === b[i]?.[1]);
}

/** What is taken where nothing is said. */
function withDefaults(state: DeviceState): DeviceState {
  return {
    ...state,
    isr: state.isr ?? 0,
    isBigEndian: state.isBigEndian ?? false,
    net: state.net ?? RESET_NET,
    queues: state.queues.map((queue, index) => ({
      ...queue,
      maxSize: queue.maxSize ?? queue.size,
      notifyOffset: queue.notifyOffset ?? index,
      notifyData: queue.notifyData ?? 0,
    })),
  };
}

/** A state that was read from a format, with what guest memory says of split virtqueues. */
function withGuestMemory(state: DeviceState, before: DeviceState): DeviceState {
  if (isPacked(before)) return state;
  return {
    ...state,
    queues: state.queues.map((queue, index) => {
      const known = before.queues[index];
      return known === undefined || !queue.enabled ? queue : recalled(queue, known);
    }),
  };
}

function recalled(queue: QueueState, before: QueueState): QueueState {
  const { standing, owned } = before;
  const isAllUsed = standing?.available !== undefined && standing.available === standing.used;
  // A device that is told nothing starts at the used index: it stands where it stood, or takes the same again.
  if (queue.standing === undefined && (isAllUsed || standing?.isRetakable === true)) {
    return { ...queue, standing, owned };
  }
  const isSame = queue.owned.length === owned.length && queue.owned.every(({ id }, i) => id === owned[i]?.id);
  return isSame ? { ...queue, owned } : queue;
}
