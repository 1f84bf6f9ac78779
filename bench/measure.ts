/**
 * Measures the subjects of one case against each other. The machine may be shared and noisy: subjects run in turn within
 * short rounds, and what counts is the median over the rounds of their ratio, never an absolute time.
 */
import { Bench } from "tinybench";

/** One way to do the work. Called `batch` times per sample; what it returns keeps the optimiser honest. */
type Subject = () => unknown;

export interface Case {
  /** Calls per sample: enough that the clock does not matter. */
  readonly batch: number;
  /** How many operations a call is; 1 when not given. Only the nanoseconds are divided by it. */
  readonly operations?: number;
  /**
   * `virtwire` always; `hand` and peers where they can express the work. Where it is growth that is promised, the others
   * are virtwire itself at less of the work.
   */
  readonly subjects: { readonly virtwire: Subject } & Readonly<Record<string, Subject>>;
  /**
   * The most that virtwire's time may be, as a multiple of a subject's. The gate leaves room for noise; the target is
   * the promise.
   */
  readonly targets: Readonly<Record<string, number>>;
}

export interface Result {
  /** Nanoseconds per call, the median of the rounds. */
  readonly nanoseconds: Readonly<Record<string, number>>;
  /** virtwire's time as a multiple of each other subject's, the median of the rounds. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** Gives `count` different things in turn, for ever. */
export function rotation<T>(count: number, make: (i: number) => T): () => T {
  const things = Array.from({ length: count }, (_, i) => make(i));
  let next = 0;
  return () => {
    next = next + 1 < count ? next + 1 : 0;
    return things[next] as T;
  };
}

let sink: unknown;

export async function measure(one: Case, rounds: number, milliseconds: number): Promise<Result> {
  const names = Object.keys(one.subjects);
  const samples = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({
      time: milliseconds,
      warmup: round === 0,
      warmupTime: milliseconds,
      iterations: 5,
    });
    for (const [name, subject] of Object.entries(one.subjects)) {
      bench.add(name, () => {
        for (let i = 0; i < one.batch; i++) sink = subject();
      });
    }
    await bench.run();
    for (const task of bench.tasks) {
      const { result } = task;
      if (result.state !== "completed") throw new Error(`${task.name} did not run: ${result.state}`);
      samples.get(task.name)?.push((result.latency.p50 * 1e6) / (one.batch * (one.operations ?? 1)));
    }
  }
  if (sink === samples) throw new Error("unreachable: keeps the sink alive");
  const own = samples.get("virtwire") ?? [];
  const others = names.filter((name) => name !== "virtwire");
  return {
    nanoseconds: Object.fromEntries(names.map((name) => [name, median(samples.get(name) ?? [])])),
    ratios: Object.fromEntries(
      others.map((name) => [
        name,
        median((samples.get(name) ?? []).map((time, i) => (own[i] ?? Number.NaN) / time)),
      ]),
    ),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
