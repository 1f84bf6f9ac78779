/** Runs the command in this process, and keeps what it writes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Io } from "../../src/cli/io.js";
import { run } from "../../src/cli/run.js";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function virtwire(
  argv: readonly string[],
  given: Partial<Io> & { input?: readonly Uint8Array[] } = {},
): Promise<Ran> {
  let out = "";
  let err = "";
  const decoder = new TextDecoder();
  const { input = [], ...io } = given;
  async function* stdin(): AsyncGenerator<Uint8Array> {
    for (const chunk of input) yield await Promise.resolve(chunk);
  }
  const code = await run(argv, {
    out: (text) => {
      out += typeof text === "string" ? text : decoder.decode(text);
    },
    err: (text) => {
      err += text;
    },
    outIsTerminal: false,
    errIsTerminal: false,
    columns: () => undefined,
    env: {},
    stdin: stdin(),
    interrupted: () => Promise.reject(new Error("this verb is not expected to wait")),
    ...io,
  });
  return { code, out, err };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "virtwire-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return folder;
}
