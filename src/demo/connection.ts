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

export async function connectHosts(): Promise<Connection> {
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
    source: channelOf(source),
    destination: channelOf(destination),
    close: () => {
      source.destroy();
      destination.destroy();
    },
  };
}

function channelOf(socket: Socket): MigrationChannel {
  const { readable, writable } = Duplex.toWeb(socket);
  return { readable, writable };
}
