/** A back-end that others have written, in a process of its own, and a front-end that is connected to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type FrontendOptions, VhostUserFrontend } from "../../../src/vhost-user/frontend/frontend.js";
import { SystemCallError } from "../../../src/vhost-user/index.js";
import type { Program } from "../programs.js";

const RETRY_MS = 20;

export class BackendProcess {
  /** What it wrote on its standard error. */
  stderr = "";
  readonly socket: string;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private hasExited = false;

  constructor({ path, args }: Program, more: readonly string[], socket: string) {
    this.socket = socket;
    this.child = spawn(path, [...args, ...more], { stdio: ["ignore", "ignore", "pipe"] });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      const gone = (): void => {
        this.hasExited = true;
        resolve();
      };
      this.child.on("close", gone);
      this.child.on("error", gone);
    });
  }

  /** Resolves when its socket is there. For who serves one front-end only, trying it out would be too much. */
  async listens(): Promise<void> {
    while (!existsSync(this.socket)) {
      if (this.hasExited) throw new Error(`no back-end: ${this.stderr}`);
      await sleep(RETRY_MS);
    }
  }

  /** Connects as soon as it listens. */
  async connect(options: FrontendOptions = {}, socket: string = this.socket): Promise<VhostUserFrontend> {
    while (true) {
      try {
        return await VhostUserFrontend.connect(socket, options);
      } catch (error) {
        const isEarly =
          error instanceof SystemCallError && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
        if (!isEarly || this.hasExited) throw new Error(`no back-end: ${this.stderr}`, { cause: error });
      }
      await sleep(RETRY_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill();
    await this.exited;
  }
}

/** QEMU's own block layer with an image, whose bytes are those of the disk. */
export function storageDaemonWith(
  program: Program,
  image: string,
  socket: string,
  queues = 2,
): BackendProcess {
  return new BackendProcess(
    program,
    [
      ...["--blockdev", `driver=file,node-name=file,filename=${image}`],
      ...["--blockdev", "driver=raw,node-name=disk,file=file"],
      "--export",
      `type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=${socket},writable=on,num-queues=${queues}`,
    ],
    socket,
  );
}
