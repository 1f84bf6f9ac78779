/**
 * A real QEMU: started, driven over QMP on its standard input and output, and stopped by its own process.
 *
 * Everything waits for what QEMU reports, never for a time: a loaded machine makes a test slow, not red.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Longer than any single step takes on a machine that does other work besides. */
const PATIENCE = 120_000;

interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What QEMU says of a migration. Times in milliseconds, sizes in bytes. */
export interface MigrationInfo {
  readonly status?: string;
  readonly "error-desc"?: string;
  readonly downtime?: number;
  readonly "total-time"?: number;
  readonly ram?: {
    readonly transferred: number;
    readonly "dirty-sync-count": number;
    readonly "postcopy-requests"?: number;
  };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

export class Machine {
  /** What QEMU wrote on its standard error so far: the text that people paste into bug reports. */
  stderr = "";
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly replies: Waiting[] = [];
  private readonly events: QmpEvent[] = [];
  private wake: () => void = () => {};
  private readonly exited: Promise<number | null>;
  private hasExited = false;

  private constructor(program: string, args: readonly string[], folder: string) {
    this.child = spawn(program, [...args, "-qmp", "stdio"], { stdio: "pipe", cwd: folder });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    // A QEMU that has gone away closes its input; the exit is what tests hear of.
    this.child.stdin.on("error", () => {});
    createInterface({ input: this.child.stdout }).on("line", (line) => this.hear(line));
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code) => {
        this.hasExited = true;
        for (const { reject } of this.replies.splice(0)) reject(this.gone());
        this.wake();
        resolve(code);
      });
      this.child.on("error", (error) => {
        this.stderr += error.message;
      });
    });
  }

  /** `folder`: where it runs. */
  static async start(program: string, args: readonly string[], folder: string): Promise<Machine> {
    const machine = new Machine(program, args, folder);
    await machine.qmp("qmp_capabilities");
    return machine;
  }

  /** Runs a QMP command. Throws with QEMU's own description of the error. */
  async qmp(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.hasExited) throw this.gone();
    const reply = new Promise((resolve, reject) => {
      this.replies.push({ resolve, reject });
    });
    this.child.stdin.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    return await within(`QEMU does not answer ${execute}`, reply);
  }

  /** Runs a command of the human monitor; some things have no QMP command. */
  async monitor(line: string): Promise<string> {
    return String(await this.qmp("human-monitor-command", { "command-line": line }));
  }

  /** Waits until an event of this name that `matches` has come, be it in the past. */
  async event(name: string, matches: (data: QmpEvent["data"]) => boolean = () => true): Promise<void> {
    const found = async (): Promise<void> => {
      while (!this.events.some((one) => one.event === name && matches(one.data))) {
        if (this.hasExited) throw this.gone();
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    };
    await within(`QEMU reports no ${name}`, found());
  }

  /** Asks again and again until it is so: for what QEMU does not report by itself. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    const asked = async (): Promise<void> => {
      while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    await within("QEMU does not come so far", asked());
  }

  get pid(): number {
    if (this.child.pid === undefined) throw this.gone();
    return this.child.pid;
  }

  /** The states that a migration went through so far. */
  get migrationStates(): readonly string[] {
    return this.events.filter(({ event }) => event === "MIGRATION").map(({ data }) => String(data["status"]));
  }

  /** Switches capabilities of the migration on. Their events are always on: `migrated` waits for them. */
  async capabilities(...names: readonly string[]): Promise<void> {
    const capabilities = ["events", ...names].map((capability) => ({ capability, state: true }));
    await this.qmp("migrate-set-capabilities", { capabilities });
  }

  /** Waits until the migration ended, whichever way, and says how. */
  async migrated(): Promise<MigrationInfo> {
    await this.event("MIGRATION", ({ status }) => status === "completed" || status === "failed");
    return this.migration();
  }

  async migration(): Promise<MigrationInfo> {
    return (await this.qmp("query-migrate")) as MigrationInfo;
  }

  async status(): Promise<string> {
    const { status } = (await this.qmp("query-status")) as { readonly status: string };
    return status;
  }

  /** Waits for QEMU to end by itself: the fate of a destination that cannot load its stream. */
  exit(): Promise<number | null> {
    return within("QEMU does not exit", this.exited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  private hear(line: string): void {
    const message = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if ("event" in message) {
      this.events.push({
        event: String(message["event"]),
        data: (message["data"] ?? {}) as QmpEvent["data"],
      });
      this.wake();
    } else if ("return" in message) {
      this.replies.shift()?.resolve(message["return"]);
    } else if ("error" in message) {
      const { desc } = message["error"] as { readonly desc: string };
      this.replies.shift()?.reject(new Error(desc));
    }
  }

  private gone(): Error {
    return new Error(`QEMU has exited: ${this.stderr}`);
  }
}

/** Gives up with the reason `failure` when this takes longer than any single step may. */
export async function within<T>(failure: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${failure} within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
