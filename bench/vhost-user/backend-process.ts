/** A back-end in a process of its own, and what it takes of the processor. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 20;
/** Of the times in /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
/** Behind the name, which may hold anything: user and system time. @source proc(5) */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

export class BackendProcess {
  readonly socket: string;
  private readonly child: ChildProcess;

  private constructor(socket: string, child: ChildProcess) {
    this.socket = socket;
    this.child = child;
  }

  /** Resolves when it listens; undefined when there is no such program. */
  static async start(
    program: string,
    args: readonly string[],
    socket: string,
  ): Promise<BackendProcess | undefined> {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    const missing = new Promise<true>((resolve) => child.once("error", () => resolve(true)));
    while (!existsSync(socket)) if (await Promise.race([missing, sleep(POLL_MS)])) return undefined;
    return new BackendProcess(socket, child);
  }

  /** Processor time so far, in seconds. */
  get processorTime(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) / TICKS_A_SECOND;
  }

  stop(): void {
    this.child.kill();
  }
}
