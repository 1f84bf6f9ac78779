/** Unified diffs of two texts, for `gen --check`. */

const CONTEXT = 3;
/** Beyond this many changed lines, finding the shortest diff takes too long for what anybody reads of it. */
const MAX_CHANGES = 2000;

interface Edit {
  readonly kind: " " | "-" | "+";
  readonly line: string;
}

/** Empty when the texts are equal. */
export function unifiedDiff(name: string, before: string, after: string): string {
  if (before === after) return "";
  const edits = editsBetween(linesOf(before), linesOf(after));
  const out = [`--- ${name}`, `+++ ${name} (generated)`];
  for (const [from, to] of hunksOf(edits)) out.push(...hunkText(edits, from, to));
  return `${out.join("\n")}\n`;
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  return lines;
}

function editsBetween(before: readonly string[], after: readonly string[]): Edit[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end++;
  }
  const same = (line: string): Edit => ({ kind: " ", line });
  return [
    ...before.slice(0, start).map(same),
    ...shortestEdits(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

/** Myers' greedy algorithm: for each number of changes, how far each diagonal gets. */
function shortestEdits(before: readonly string[], after: readonly string[]): Edit[] {
  const max = Math.min(before.length + after.length, MAX_CHANGES);
  const reach = new Map<number, number>([[1, 0]]);
  const history: Map<number, number>[] = [];
  for (let changes = 0; changes <= max; changes++) {
    history.push(new Map(reach));
    for (let diagonal = -changes; diagonal <= changes; diagonal += 2) {
      const below = reach.get(diagonal + 1) ?? -1;
      const left = reach.get(diagonal - 1) ?? -1;
      let x = diagonal === -changes || (diagonal !== changes && left < below) ? below : left + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      reach.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return backtrack(before, after, history);
    }
  }
  return [
    ...before.map((line): Edit => ({ kind: "-", line })),
    ...after.map((line): Edit => ({ kind: "+", line })),
  ];
}

function backtrack(
  before: readonly string[],
  after: readonly string[],
  history: readonly Map<number, number>[],
): Edit[] {
  const edits: Edit[] = [];
  let x = before.length;
  let y = after.length;
  for (let changes = history.length - 1; changes >= 0; changes--) {
    const reach = history[changes] ?? new Map<number, number>();
    const diagonal = x - y;
    const down =
      diagonal === -changes ||
      (diagonal !== changes && (reach.get(diagonal - 1) ?? -1) < (reach.get(diagonal + 1) ?? -1));
    const previous = diagonal + (down ? 1 : -1);
    const startX = changes === 0 ? 0 : (reach.get(previous) ?? 0);
    const startY = changes === 0 ? 0 : startX - previous;
    while (x > startX && y > startY && (changes > 0 || (x > 0 && y > 0))) {
      edits.push({ kind: " ", line: before[--x] ?? "" });
      y--;
    }
    if (changes === 0) break;
    if (down) edits.push({ kind: "+", line: after[--y] ?? "" });
    else edits.push({ kind: "-", line: before[--x] ?? "" });
  }
  return edits.reverse();
}

/** Ranges of edits that hold a change and its context. */
function hunksOf(edits: readonly Edit[]): [from: number, to: number][] {
  const hunks: [number, number][] = [];
  edits.forEach(({ kind }, i) => {
    if (kind === " ") return;
    const last = hunks[hunks.length - 1];
    const from = Math.max(0, i - CONTEXT);
    const to = Math.min(edits.length, i + CONTEXT + 1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  });
  return hunks;
}

function hunkText(edits: readonly Edit[], from: number, to: number): string[] {
  const count = (part: readonly Edit[], without: string): number =>
    part.filter(({ kind }) => kind !== without).length;
  const before = edits.slice(0, from);
  const hunk = edits.slice(from, to);
  const place = (sign: "-" | "+"): string => {
    const other = sign === "-" ? "+" : "-";
    const length = count(hunk, other);
    return `${sign}${count(before, other) + (length === 0 ? 0 : 1)},${length}`;
  };
  return [`@@ ${place("-")} ${place("+")} @@`, ...hunk.map(({ kind, line }) => kind + line)];
}
