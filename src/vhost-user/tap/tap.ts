/** The recording proxy: stands where a back-end would, passes everything on to the real one, and shows what is said. */
import { openSystem, System, SystemCallError, type UnixListener, type UnixSocket } from "../system/index.js";
import { type TapRecord, TapSession } from "./session.js";

/** After a front-end that could not be served. In milliseconds. */
const PAUSE = 100;

export interface TapHandler {
  /** A front-end has connected, and the back-end is there. Sessions count from 1. */
  began(session: number): void;
  record(session: number, record: TapRecord): void;
  ended(session: number, error: Error | undefined): void;
  /** A front-end was turned away, for the back-end cannot be reached. */
  refused(error: Error): void;
}

export class Tap {
  private readonly system: System;
  private readonly listener: UnixListener;
  private readonly backend: string;
  private readonly handler: TapHandler;
  private readonly sessions = new Map<number, TapSession>();
  private count = 0;

  private constructor(system: System, path: string, backend: string, handler: TapHandler) {
    this.system = system;
    this.backend = backend;
    this.handler = handler;
    this.listener = system.listen(path);
    this.listen();
  }

  /**
   * Listens at a path, which must not exist, for front-ends of the back-end at another.
   * @throws SystemCallError, NoSystemCallsError
   */
  static async open(path: string, backend: string, handler: TapHandler): Promise<Tap> {
    return new Tap(await openSystem(), path, backend, handler);
  }

  /** Ends all sessions. May be called again. */
  close(): void {
    for (const session of this.sessions.values()) session.close();
    this.sessions.clear();
    this.system.close();
  }

  private accept(): void {
    // Of its own, so that a session leaves nothing open.
    const system = new System(this.system.native);
    try {
      const frontend = this.listener.accept(system);
      if (frontend !== undefined) this.begin(system, frontend);
    } catch (error) {
      system.close();
      if (!(error instanceof SystemCallError)) throw error;
      this.handler.refused(error);
      this.pause();
    }
  }

  private begin(system: System, frontend: UnixSocket): void {
    const backend = system.connect(this.backend);
    const number = ++this.count;
    this.handler.began(number);
    const session = new TapSession(system, frontend, backend, {
      record: (record) => this.handler.record(number, record),
      ended: (error) => {
        this.sessions.delete(number);
        this.handler.ended(number, error);
      },
    });
    this.sessions.set(number, session);
  }

  /** One that cannot be accepted, for want of descriptors, goes on waiting: looking again at once would be all that is done. */
  private pause(): void {
    this.listener.unwatch("readable");
    setTimeout(() => {
      if (this.listener.isOpen) this.listen();
    }, PAUSE);
  }

  private listen(): void {
    this.listener.watch("readable", () => this.accept());
  }
}
