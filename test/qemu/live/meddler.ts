/**
 * Stands between a front-end and a back-end on their socket, passes messages on with their descriptors, and does to some
 * of them what a test asks for: another content, or an end of the connection in the middle.
 */
import { VhostUserFrontendRequest } from "../../../generated/vhost-user/messages.js";
import {
  openSystem,
  type System,
  type UnixListener,
  type UnixSocket,
} from "../../../src/vhost-user/index.js";
import { MessageSocket, type SocketMessage } from "../../../src/vhost-user/message-socket.js";

/** A message on its way: a request of the front-end, or the answer to one. */
export interface Passing {
  readonly from: "front-end" | "back-end";
  /** Of the request, as in the specification. */
  readonly name: string;
  /** Header and payload. May be changed in place. */
  readonly bytes: Uint8Array;
}

/** "cut": half of it still passes, and then both sides find their connection closed. */
export type Fate = "pass" | "cut";

export type Meddling = (message: Passing) => Fate | Promise<Fate>;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(VhostUserFrontendRequest).map(([name, number]) => [number, name]),
);

export class Meddler {
  /** What has passed, e.g. "> VHOST_USER_SET_OWNER" of the front-end and "< VHOST_USER_GET_FEATURES" of the back-end. */
  readonly passed: string[] = [];
  /** What is done to messages from now on. */
  meddling: Meddling;
  private readonly system: System;
  private readonly listener: UnixListener;
  private readonly to: string;

  private constructor(system: System, path: string, to: string, meddling: Meddling) {
    this.system = system;
    this.to = to;
    this.meddling = meddling;
    this.listener = system.listen(path);
    this.listener.watch("readable", () => this.accept());
  }

  /** Listens at `path` for front-ends, and connects each to the back-end at `to`. */
  static async start(path: string, to: string, meddling: Meddling): Promise<Meddler> {
    return new Meddler(await openSystem(), path, to, meddling);
  }

  [Symbol.dispose](): void {
    this.system.close();
  }

  private accept(): void {
    const frontend = this.listener.accept(this.system);
    if (frontend === undefined) return;
    let backend: UnixSocket;
    try {
      backend = this.system.connect(this.to);
    } catch {
      // The back-end is not there: its front-end sees that, as it would without us.
      frontend.close();
      return;
    }
    const sides: MessageSocket[] = [];
    let passing: Promise<void> = Promise.resolve();
    const closeBoth = (): void => {
      for (const side of sides) side.close();
    };
    const join = (from: Passing["from"], socket: UnixSocket, other: number): MessageSocket =>
      new MessageSocket(socket, {
        message: (message) => {
          passing = passing
            .then(() => this.pass(from, message, sides[other]))
            .then((goesOn) => {
              if (!goesOn) closeBoth();
            });
        },
        // What came before the end still passes.
        ended: () => {
          passing = passing.then(closeBoth);
        },
      });
    sides.push(join("front-end", frontend, 1), join("back-end", backend, 0));
  }

  /** Whether the connection goes on. */
  private async pass(
    from: Passing["from"],
    { header, bytes, descriptors }: SocketMessage,
    to: MessageSocket | undefined,
  ): Promise<boolean> {
    const name = NAMES.get(header.request) ?? `request ${header.request}`;
    try {
      const fate = await this.meddling({ from, name, bytes });
      this.passed.push(`${from === "front-end" ? ">" : "<"} ${name}`);
      await to?.send(fate === "cut" ? bytes.subarray(0, bytes.length / 2) : bytes, descriptors);
      return fate === "pass";
    } catch {
      // The other side is gone.
      return false;
    } finally {
      for (const descriptor of descriptors) descriptor.close();
    }
  }
}
