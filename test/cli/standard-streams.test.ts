/** The process of the command in front of readers that are slow, or have seen enough. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const CAPTURE = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));
/** What a pipe of Linux holds, and our buffer. */
const PIPE = 1 << 17;

function inspect(): ReturnType<typeof spawn> {
  return spawn(process.execPath, ["--import", "tsx", MAIN, "inspect", CAPTURE, "--format", "jsonl"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Bytes that a process has written, to pipes and files. */
function written(pid: number | undefined): number {
  const found = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"));
  return Number(found?.[1]);
}

describe.runIf(process.platform === "linux")("standard output", () => {
  it("waits for its reader, and loses nothing", async () => {
    const child = inspect();
    const { stdout } = child;
    if (stdout === null) throw new Error("no pipe");
    const chunks: Buffer[] = [];
    const [first] = (await once(stdout, "data")) as [Buffer];
    chunks.push(first);
    stdout.pause();
    await setTimeout(500);
    const before = written(child.pid);
    await setTimeout(500);
    // It stands still, with the most of its output to come.
    expect(child.exitCode).toBeNull();
    expect(written(child.pid)).toBe(before);
    stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    stdout.resume();
    const [code] = await once(child, "close");
    const text = Buffer.concat(chunks).toString("utf8");
    expect(code).toBe(0);
    expect(text.length).toBeGreaterThan(4 * PIPE);
    const lines = text.trimEnd().split("\n");
    expect(JSON.parse(lines[lines.length - 1] ?? "")).toMatchObject({ record: "summary", fault_count: 0 });
    for (const line of lines) JSON.parse(line);
  });

  it("ends quietly when its reader has seen enough", async () => {
    const child = inspect();
    const { stdout } = child;
    if (stdout === null) throw new Error("no pipe");
    await once(stdout, "data");
    stdout.destroy();
    expect((await once(child, "close"))[0]).toBe(0);
  });
});
