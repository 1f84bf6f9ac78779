/**
 * A device on a UNIX socket, for as long as one likes: it waits for front-ends, or goes looking for one, and serves them one
 * after the other. What the device is stays when a front-end goes; what that front-end has set up goes with it.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { DeviceType } from "../device/index.js";
import type { BackendEvent } from "./backend/events.js";
import { Session, type SessionOptions } from "./backend/session.js";
import {
  openSystem,
  type System,
  SystemCallError,
  type UnixListener,
  type UnixSocket,
} from "./system/index.js";

/** What a server tells of itself, besides what its back-end tells. */
export type ServerEvent =
  | BackendEvent
  /** The socket is there: a front-end can come. */
  | { readonly kind: "listening"; readonly path: string }
  /** Nobody waits at the path yet; it is tried again. */
  | { readonly kind: "waiting"; readonly error: Error }
  | { readonly kind: "connected" }
  /** Without an error the front-end has closed the connection. */
  | { readonly kind: "disconnected"; readonly error: Error | undefined };

export interface ServerOptions extends Omit<SessionOptions, "onEvent"> {
  /** Connect to a front-end that listens, instead of listening. */
  readonly client?: boolean | undefined;
  /** Between two attempts of a client. In milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

const RETRY_AFTER = 200;

export class VhostUserServer {
  readonly path: string;
  private readonly type: DeviceType;
  private readonly options: ServerOptions;
  private readonly onEvent: (event: ServerEvent) => void;
  private readonly stopping = new AbortController();
  private session: Session | undefined;
  private ended: Promise<void> = Promise.resolve();

  private constructor(type: DeviceType, path: string, options: ServerOptions) {
    this.type = type;
    this.path = path;
    this.options = options;
    this.onEvent = options.onEvent ?? (() => {});
  }

  /**
   * Begins to serve; a server that listens can be connected to when this resolves.
   * @throws SystemCallError when the path cannot be listened at; NoSystemCallsError without koffi, or Linux
   */
  static async start(type: DeviceType, path: string, options: ServerOptions = {}): Promise<VhostUserServer> {
    const system = await openSystem();
    const server = new VhostUserServer(type, path, options);
    const serving =
      options.client === true ? server.connect() : server.accept(system, listenAt(system, path));
    server.ended = serving.finally(() => system.close());
    return server;
  }

  /** Whether a front-end is there. */
  get isConnected(): boolean {
    return this.session !== undefined;
  }

  /** Ends the connection that there is, with everything given back, and takes no other. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.session?.close();
    await this.ended;
  }

  private async accept(system: System, listener: UnixListener): Promise<void> {
    this.stopping.signal.addEventListener("abort", () => listener.close());
    this.onEvent({ kind: "listening", path: this.path });
    while (!this.stopping.signal.aborted) {
      try {
        await listener.ready("readable");
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        throw error;
      }
      const own = await openSystem();
      const socket = this.acceptFrom(listener, own);
      // Others wait in the listener's queue meanwhile.
      if (socket !== undefined) await this.serve(socket, own);
      else await this.pause();
    }
    system.close();
  }

  /** Undefined when nobody is there any more. */
  private acceptFrom(listener: UnixListener, owner: System): UnixSocket | undefined {
    try {
      return listener.isOpen ? listener.accept(owner) : undefined;
    } catch (error) {
      // One that could not be accepted, for want of descriptors, must not end the others' server.
      if (error instanceof SystemCallError) this.onEvent({ kind: "disconnected", error });
      else throw error;
      return undefined;
    }
  }

  private async connect(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const own = await openSystem();
      try {
        await this.serve(own.connect(this.path), own);
      } catch (error) {
        if (!(error instanceof SystemCallError)) throw error;
        this.onEvent({ kind: "waiting", error });
      }
      // Also after a connection: a front-end that closes at once must not keep the processor busy.
      await this.pause();
    }
  }

  private async pause(): Promise<void> {
    const { signal } = this.stopping;
    await wait(this.options.retryAfter ?? RETRY_AFTER, undefined, { signal }).catch(() => {});
  }

  private async serve(socket: UnixSocket, system: System): Promise<void> {
    this.onEvent({ kind: "connected" });
    this.session = new Session(socket, system, this.type, this.options);
    const error = await this.session.ended;
    this.session = undefined;
    this.onEvent({ kind: "disconnected", error });
  }
}

/** Listens at a path, in place of a socket that a server has left when it was killed. @throws SystemCallError */
function listenAt(system: System, path: string): UnixListener {
  try {
    return system.listen(path);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== "EADDRINUSE" || !isAbandoned(system, path))
      throw error;
    unlinkSync(path);
    return system.listen(path);
  }
}

function isAbandoned(system: System, path: string): boolean {
  if (!lstatSync(path).isSocket()) return false;
  try {
    system.connect(path).close();
    return false;
  } catch (error) {
    return error instanceof SystemCallError && error.code === "ECONNREFUSED";
  }
}
