/** What push parsers say, made comparable. Each call is text: `name(value, …)`. */

/** Payloads that are lent come in pieces, which depend on the cuts: only all of them together do not. */
export function merged(calls: readonly string[]): string[] {
  const result: string[] = [];
  for (const call of calls) {
    const piece = /^(\w+\$*)Data\(<([0-9a-f]*)>, (\d+)\)$/.exec(call);
    const last = /^(\w+\$*)Data\(<([0-9a-f]*)>\)$/.exec(result[result.length - 1] ?? "");
    if (piece !== null && last !== null && piece[1] === last[1])
      result[result.length - 1] = `${piece[1]}Data(<${last[2]}${piece[2]}>)`;
    else if (piece !== null) result.push(`${piece[1]}Data(<${piece[2]}>)`);
    else result.push(call);
  }
  return result;
}
