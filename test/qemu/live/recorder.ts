/** Stands between two QEMUs that migrate, passes every byte on, and keeps both directions. */
import { createWriteStream } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";

export interface Recording {
  /** What the source sent, and what the destination answered on the return path. */
  readonly files: { readonly forward: string; readonly back: string };
  /** Both have closed, and everything is in the files. */
  readonly ended: Promise<void>;
}

/** Listens at `path` for one source, and connects it to the destination that listens at `to`. */
export async function record(path: string, to: string): Promise<Recording> {
  const files = { forward: `${path}.mig`, back: `${path}.mig.return` };
  // One side may have said all that it has to say before the other has.
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
  return { files, ended: relay(server, to, files) };
}

async function relay(server: Server, to: string, files: Recording["files"]): Promise<void> {
  const source = await new Promise<Socket>((resolve) => {
    server.once("connection", resolve);
  });
  server.close();
  const destination = createConnection({ path: to, allowHalfOpen: true });
  await Promise.all([pass(source, destination, files.forward), pass(destination, source, files.back)]);
}

/** One direction, to its end. A side that is lost takes the other with it, as if nobody stood between them. */
function pass(from: Socket, to: Socket, file: string): Promise<void> {
  const out = createWriteStream(file);
  from.on("data", (chunk: Buffer) => {
    out.write(chunk);
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  return new Promise((resolve, reject) => {
    out.once("error", reject);
    from.once("end", () => {
      to.end();
      out.end(resolve);
    });
    from.once("error", () => {
      to.destroy();
      out.end(resolve);
    });
  });
}
