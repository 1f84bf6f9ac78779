#!/usr/bin/env node
/** The `virtwire` command: the process around `run`. */
import { readSync } from "node:fs";
import { isatty } from "node:tty";
import { optimizeLater } from "./engine.js";
import { run } from "./run.js";
import { standardError, standardOutput } from "./standard-streams.js";

/**
 * Standard input into one buffer: the chunks of process.stdin are each memory of their own, and a fast pipe makes garbage
 * of it faster than it is collected. Where descriptor 0 does not block, process.stdin takes over.
 */
async function* readStandardInput(): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(1 << 18);
  while (true) {
    let size: number;
    try {
      size = readSync(0, buffer);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EOF") return;
      if (code !== "EAGAIN") throw error;
      yield* process.stdin;
      return;
    }
    if (size === 0) return;
    yield buffer.subarray(0, size);
  }
}

optimizeLater();
const [outIsTerminal, errIsTerminal] = [isatty(1), isatty(2)];

process.exitCode = await run(process.argv.slice(2), {
  out: standardOutput(outIsTerminal),
  err: standardError(errIsTerminal),
  outIsTerminal,
  errIsTerminal,
  columns: () => process.stderr.columns ?? process.stdout.columns,
  env: process.env,
  stdin: readStandardInput(),
  interrupted: () =>
    new Promise((resolve) => {
      process.once("SIGINT", () => resolve());
      process.once("SIGTERM", () => resolve());
    }),
});
