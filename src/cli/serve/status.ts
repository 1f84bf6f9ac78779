/** What `virtwire serve` says while it runs: a line for each thing that happens, and one below them that stays. */
import type { ServerEvent } from "../../vhost-user/index.js";
import type { Io } from "../io.js";
import { StatusLine } from "../status-line.js";

const EVERY = 500;

export class Status {
  private readonly io: Io;
  private readonly summary: () => string;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly connected = new Set<string>();
  private readonly running = new Map<string, Set<number>>();
  private readonly line: StatusLine;
  /** A client that waits says so once, not at every attempt. */
  private readonly waiting = new Set<string>();

  constructor(io: Io, summary: () => string) {
    this.io = io;
    this.summary = summary;
    this.line = new StatusLine(io);
    if (io.errIsTerminal) this.timer = setInterval(() => this.show(), EVERY);
  }

  /** `verbose`: requests too. */
  event(path: string, event: ServerEvent, verbose: boolean): void {
    this.keep(path, event);
    const text = textOf(event, verbose);
    if (event.kind === "waiting") {
      if (this.waiting.has(path)) return;
      this.waiting.add(path);
    } else this.waiting.delete(path);
    if (text === undefined) return;
    this.line.clear();
    this.io.out(`${path}: ${text}\n`);
    this.show();
  }

  /** Says what was done. */
  summarize(): void {
    this.line.clear();
    this.io.out(`${this.summary()}\n`);
  }

  /** Says no more. */
  end(): void {
    clearInterval(this.timer);
    this.line.clear();
  }

  private keep(path: string, event: ServerEvent): void {
    const queues = this.running.get(path) ?? new Set();
    this.running.set(path, queues);
    if (event.kind === "connected") this.connected.add(path);
    else if (event.kind === "disconnected") {
      this.connected.delete(path);
      queues.clear();
    } else if (event.kind === "started") queues.add(event.queue);
    else if (event.kind === "stopped" || event.kind === "broken") queues.delete(event.queue);
  }

  private show(): void {
    const queues = [...this.running.values()].reduce((sum, { size }) => sum + size, 0);
    const state =
      this.connected.size === 0
        ? "no front-end"
        : `connected, ${queues} virtqueue${queues === 1 ? "" : "s"} running`;
    this.line.show(`${state}; ${this.summary()}`);
  }
}

/** Undefined for what only those hear of who have asked. */
function textOf(event: ServerEvent, verbose: boolean): string | undefined {
  switch (event.kind) {
    case "listening":
      return "listening, Ctrl-C ends it";
    case "waiting":
      return `waiting for a front-end (${event.error.message})`;
    case "connected":
      return "a front-end has connected";
    case "disconnected":
      return event.error === undefined ? "the front-end has gone" : `disconnected: ${event.error.message}`;
    case "request":
      return verbose ? event.name : undefined;
    case "refused":
      return `${event.name} refused: ${event.error.message}`;
    case "started":
      return verbose ? `virtqueue ${event.queue} runs` : undefined;
    case "stopped":
      return verbose ? `virtqueue ${event.queue} is stopped` : undefined;
    case "broken":
      return `virtqueue ${event.queue} is broken: ${event.error.message}`;
    case "resumed":
      return `virtqueue ${event.queue}: ${event.buffers} requests that a back-end before this one had taken are served again`;
    case "logging":
      return event.on ? "writes to guest memory are logged: a migration has begun" : "logging has ended";
    case "unlogged":
      return `0x${event.address.toString(16)} is outside of the dirty log: the destination will not have it`;
    case "saved":
      return `state saved, ${event.bytes.length} bytes of device context`;
    case "loaded":
      return `state loaded, ${event.bytes.length} bytes of device context`;
    case "transfer-failed":
      return `the state could not be transferred: ${event.error.message}`;
    case "announced":
      return `announcing ${[...event.mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
  }
}
