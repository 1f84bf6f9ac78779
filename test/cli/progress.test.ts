import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Io } from "../../src/cli/io.js";
import { Progress } from "../../src/cli/progress.js";

const WIPED = "\r\u001b[K";

function terminal(columns?: number, errIsTerminal = true): { readonly io: Io; readonly written: string[] } {
  const written: string[] = [];
  const io: Io = {
    out: () => {},
    err: (text) => written.push(text),
    outIsTerminal: false,
    errIsTerminal,
    columns: () => columns,
    env: {},
    stdin: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
    interrupted: () => Promise.resolve(),
  };
  return { io, written };
}

describe("progress", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("is shown once the work takes long, not for each chunk, and wiped in the end", () => {
    const { io, written } = terminal(80);
    const progress = new Progress(io, { size: 4e9 });
    progress.advance(1e9);
    expect(written).toEqual([]);
    vi.advanceTimersByTime(500);
    progress.advance(1e9);
    progress.advance(1e8);
    expect(written).toEqual([`\r2000 MB ${"█".repeat(15)}${"░".repeat(15)} 50 %\u001b[K`]);
    vi.advanceTimersByTime(100);
    progress.advance(9e8);
    expect(written[1]).toContain("3000 MB");
    progress.end();
    expect(written.slice(2)).toEqual([WIPED]);
    progress.end();
    expect(written).toHaveLength(3);
  });

  it("goes by what is told where bytes do not tell, and never beyond its end", () => {
    const { io, written } = terminal(80);
    const progress = new Progress(io, { after: 0 });
    progress.advance(5e6);
    vi.advanceTimersByTime(100);
    progress.advance(5e6, 0.5);
    vi.advanceTimersByTime(100);
    progress.show("round 2", 1.5);
    expect(written[0]).toBe("\r5 MB\u001b[K");
    expect(written[1]).toMatch(/^\r10 MB █{15}░{15} 50 %/);
    expect(written[2]).toMatch(/^\rround 2 █{30} 100 %/);
  });

  it("stays in one row of a narrow terminal", () => {
    const { io, written } = terminal(20);
    new Progress(io, { size: 10, after: 0 }).advance(5);
    expect(written).toEqual([`\r0 MB ${"█".repeat(14)}\u001b[K`]);
  });

  it("is nothing where nobody looks", () => {
    const { io, written } = terminal(80, false);
    const progress = new Progress(io, { after: 0 });
    progress.advance(1e9);
    progress.end();
    expect(written).toEqual([]);
  });
});
