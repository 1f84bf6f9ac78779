/** A listening socket. What a process that ended left of a UNIX socket is cleared away first, as QEMU does. */
import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { type Address, socketOptions } from "./address.js";

/** Throws what the network throws. */
export async function listen(address: Address, onConnection: (socket: Socket) => void): Promise<Server> {
  if ("path" in address && (await isLeftover(address.path))) unlinkSync(address.path);
  // A source that has said all it had to say still gets its answer.
  const server = createServer({ allowHalfOpen: true }, onConnection);
  server.listen(socketOptions(address));
  await once(server, "listening");
  return server;
}

async function isLeftover(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const probe = createConnection({ path });
  try {
    await once(probe, "connect");
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  } finally {
    probe.destroy();
  }
}
