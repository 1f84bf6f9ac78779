/** The serial lines of a guest: sockets that its QEMU connects to. */
import { createServer, type Server, type Socket } from "node:net";

/** One line. Everything that came over it is kept: it is the first thing to read when a guest does not do as it should. */
export class SerialLine {
  text = "";
  /** Whether its QEMU has gone. */
  closed = false;
  private readonly server: Server;
  private socket: Socket | undefined;
  private wake: () => void = () => {};

  private constructor(server: Server) {
    this.server = server;
    server.on("connection", (socket) => {
      this.socket = socket;
      socket.setEncoding("utf8").on("data", (text: string) => {
        this.text += text;
        this.wake();
      });
      // A QEMU that is killed resets it; its exit is what tests hear of.
      socket.on("error", () => {});
      socket.on("close", () => {
        this.closed = true;
        this.wake();
      });
    });
  }

  static async listen(path: string): Promise<SerialLine> {
    const server = createServer();
    const line = new SerialLine(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(path, resolve);
    });
    return line;
  }

  write(text: string): void {
    if (this.socket === undefined) throw new Error("no QEMU has connected to this serial line");
    this.socket.write(text);
  }

  /** Resolves when more has come. One waits at a time. */
  more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  close(): void {
    this.socket?.destroy();
    this.server.close();
  }
}
