/**
 * Which buffers a device has taken from a split virtqueue and not given back. The indices say how many they are; the rings,
 * which were taken and given back last, and in what order. A device that gives back out of order leaves room for doubt, and
 * a buffer that it has kept for longer than the rings go back is not in them at all.
 */

export interface SplitHistory {
  /** Descriptors of the queue: as far as either ring goes back. */
  readonly size: number;
  /** Heads by available index, modulo the size. */
  readonly available: readonly number[];
  /** Heads by used index, likewise. */
  readonly used: readonly number[];
  /** The driver's index, the device's position and the used index: 16 bits, that wrap. */
  readonly availableIndex: number;
  readonly taken: number;
  readonly usedIndex: number;
}

export interface InFlight {
  readonly count: number;
  /** The oldest first. Where they are not certain, those that the order in the rings makes most likely. */
  readonly heads: readonly number[];
  readonly isCertain: boolean;
  /** All heads that may be in flight by what the rings hold. */
  readonly candidates: readonly number[];
}

/** A head that was last taken `age` buffers ago, from 1 on. */
interface Taken {
  readonly head: number;
  readonly age: number;
  /** How long before that it was given back, in buffers: the longer, the more likely that was for an earlier buffer. */
  readonly lag: number;
}

/** Undefined: the indices do not fit together, and so nothing that the rings hold is of this moment. */
export function splitInFlight(history: SplitHistory): InFlight | undefined {
  const { size, availableIndex, taken, usedIndex } = history;
  const count = (taken - usedIndex) & 0xffff;
  const waiting = (availableIndex - taken) & 0xffff;
  if (count > size || waiting > size) return undefined;
  if (count === 0) return certain([]);
  if (isFirstRound(history)) {
    const heads = notGivenBack(history);
    if (heads.length === count) return certain(heads);
  }
  const { sure, possible } = lastTaken(history, count, size - waiting);
  if (sure.length === count) return certain(oldestFirst(sure));
  const likely = [...possible].sort((a, b) => b.lag - a.lag || a.age - b.age);
  const heads = oldestFirst([...sure, ...likely.slice(0, Math.max(0, count - sure.length))]);
  return { count, heads, isCertain: false, candidates: oldestFirst([...sure, ...possible]) };
}

function certain(heads: readonly number[]): InFlight {
  return { count: heads.length, heads, isCertain: true, candidates: heads };
}

/**
 * Nothing was written yet behind the indices: the rings hold all that ever was. A driver that has only ever used head 0
 * leaves the same zeroes when its indices have wrapped.
 */
function isFirstRound({ size, available, used, availableIndex, usedIndex }: SplitHistory): boolean {
  return (
    availableIndex <= size &&
    usedIndex <= size &&
    (availableIndex <= 1 || available.slice(0, availableIndex).some((head) => head !== 0)) &&
    available.slice(availableIndex).every((head) => head === 0) &&
    used.slice(usedIndex).every((head) => head === 0)
  );
}

function notGivenBack({ available, used, taken, usedIndex }: SplitHistory): number[] {
  const open = new Map<number, number>();
  for (const head of used.slice(0, usedIndex)) open.set(head, (open.get(head) ?? 0) + 1);
  // The first takings of a head are those that were given back.
  return available.slice(0, taken).filter((head) => {
    const given = open.get(head) ?? 0;
    open.set(head, given - 1);
    return given <= 0;
  });
}

/**
 * Heads that must, and that may, be in flight. `reach`: how far the available ring goes back; what waits has taken the places
 * of what was taken longest ago.
 */
function lastTaken(
  { size, available, used, taken, usedIndex }: SplitHistory,
  count: number,
  reach: number,
): { readonly sure: readonly Taken[]; readonly possible: readonly Taken[] } {
  const given = new Map<number, number>();
  for (let age = size; age >= 1; age--) given.set(used[((usedIndex - age) & 0xffff) % size] ?? 0, age);
  const seen = new Set<number>();
  const sure: Taken[] = [];
  const possible: Taken[] = [];
  for (let age = 1; age <= reach; age++) {
    const head = available[((taken - age) & 0xffff) % size] ?? 0;
    if (seen.has(head)) continue;
    seen.add(head);
    // On one line, on which the device has taken up to 0, and given back up to -count. When it took a buffer, it had given
    // back at most as many as it had taken, and at least `size - 1` fewer.
    const takenAt = -age;
    const earliest = takenAt - size + 1;
    const givenAge = given.get(head);
    if (givenAge === undefined) {
      const isInReach = earliest >= -count - size;
      (isInReach ? sure : possible).push({ head, age, lag: Number.POSITIVE_INFINITY });
      continue;
    }
    const givenAt = -count - givenAge;
    if (givenAt >= takenAt) continue;
    (givenAt < earliest ? sure : possible).push({ head, age, lag: takenAt - givenAt });
  }
  return { sure, possible };
}

function oldestFirst(heads: readonly Taken[]): number[] {
  return [...heads].sort((a, b) => b.age - a.age).map(({ head }) => head);
}
