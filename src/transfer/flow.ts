/** Waiting on a socket. Neither wait fails: a connection that breaks closes the socket, and that ends both. */
import type { Socket } from "node:net";

/** Until the other side has taken enough for more to be written, or never will. */
export function drained(socket: Socket): Promise<void> {
  return settled(socket, "drain");
}

export function closed(socket: Socket): Promise<void> {
  return settled(socket, "close");
}

function settled(socket: Socket, event: "drain" | "close"): Promise<void> {
  if (socket.destroyed && event === "drain") return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off(event, done);
      socket.off("close", done);
      resolve();
    };
    socket.on(event, done);
    socket.on("close", done);
  });
}
