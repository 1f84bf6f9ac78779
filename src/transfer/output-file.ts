/** A file that a channel is written to, as it comes. */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";

export class OutputFile {
  readonly path: string;
  /** Bytes written. */
  size = 0;
  private readonly fd: number;

  /** Throws where there is such a file: a capture is not overwritten by the next one. */
  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, "wx");
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    this.size += bytes.length;
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Nothing has come of it. */
  discard(): void {
    this.close();
    unlinkSync(this.path);
  }
}
