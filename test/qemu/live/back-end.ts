/** `virtwire serve`, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { within } from "../machine.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export class BackEnd {
  /** What it has written so far, standard output and standard error. */
  said = "";
  private readonly child: ChildProcess;
  private readonly exited: Promise<number | null>;
  private hasExited = false;
  private wake: () => void = () => {};

  private constructor(sockets: readonly string[], options: readonly string[]) {
    const where = sockets.flatMap((socket) => ["--socket", socket]);
    const args = ["--import", "tsx", "src/cli/main.ts", "serve", ...where, ...options];
    this.child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.said += text;
        this.wake();
      });
    }
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code) => {
        this.hasExited = true;
        this.wake();
        resolve(code);
      });
    });
  }

  /** With the options of `serve`; waits until it listens at all sockets. */
  static async start(sockets: readonly string[], options: readonly string[]): Promise<BackEnd> {
    const backEnd = new BackEnd(sockets, options);
    for (const socket of sockets) await backEnd.says(new RegExp(`^${socket}: listening`, "m"));
    return backEnd;
  }

  /** Waits until it has written something like this. */
  async says(what: RegExp): Promise<void> {
    const heard = async (): Promise<void> => {
      while (!what.test(this.said)) {
        if (this.hasExited) throw new Error(`the back-end has exited: ${this.said}`);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    };
    await within(`the back-end does not say ${what}`, heard());
  }

  /** Holds it where it is, until `kill` or `goOn`. */
  freeze(): void {
    this.child.kill("SIGSTOP");
  }

  goOn(): void {
    this.child.kill("SIGCONT");
  }

  /** As if it had crashed: nothing of its own runs any more. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  /** As an administrator would. Gives its exit code. */
  async stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return await within("the back-end does not exit", this.exited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
