/** What the guest's probe `pinging` says at its end. */

export interface Pings {
  readonly sent: number;
  /** The numbers of the requests whose answers never came, the last one excepted: the guest did not wait for that. */
  readonly lost: readonly number[];
  /** The numbers of the requests that were answered more than once. */
  readonly doubled: readonly number[];
}

export function pingsOf(said: string): Pings {
  const [numbers = "", count] = said.split("\n");
  const sent = Number(count);
  const times = new Map<number, number>();
  for (const number of numbers.trim().split(" ").map(Number)) times.set(number, (times.get(number) ?? 0) + 1);
  return {
    sent,
    lost: Array.from({ length: sent - 1 }, (_, number) => number).filter((number) => !times.has(number)),
    doubled: [...times].flatMap(([number, count]) => (count > 1 ? [number] : [])),
  };
}
