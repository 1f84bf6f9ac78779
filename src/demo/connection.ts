/** A connection over the loopback interface: real bytes through the kernel, between two ends in this process. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import type { MigrationChannel } from "../device/index.js";

const LOOPBACK = "127.0.0.1";

export interface Connection {
  readonly source: MigrationChannel;
  readonly destination: MigrationChannel;
  readonly close: () => void;
}

/** Takes what goes over a connection, piece by piece: what the source sends, or what the destination answers. */
export type Recorder = (from: "source" | "destination", bytes: Uint8Array) => void;

export async function connectHosts(record: Recorder | undefined): Promise<Connection> {
  const server = createServer();
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const source = connect(address.port, LOOPBACK);
  const [destination] = (await once(server, "connection")) as [Socket];
  server.close();
  // What breaks the connection is heard by whoever reads and writes.
  for (const socket of [source, destination]) socket.on("error", () => {}).setNoDelay(true);
  return {
    source: channelOf(source, record && ((bytes) => record("source", bytes))),
    destination: channelOf(destination, record && ((bytes) => record("destination", bytes))),
    close: () => {
      source.destroy();
      destination.destroy();
    },
  };
}

/** `sent`: is told what is written. */
function channelOf(socket: Socket, sent: ((bytes: Uint8Array) => void) | undefined): MigrationChannel {
  const { readable, writable } = Duplex.toWeb(socket);
  if (sent === undefined) return { readable, writable };
  const writer = writable.getWriter();
  const told = new WritableStream<Uint8Array>({
    write: async (bytes) => {
      sent(bytes);
      await writer.write(bytes);
    },
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  });
  return { readable, writable: told };
}
