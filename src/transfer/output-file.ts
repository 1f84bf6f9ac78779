/** A file that a channel is written to, as it comes. */
import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";

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
    writeFileSync(this.fd, bytes);
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
