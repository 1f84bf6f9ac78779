/** Writes every frame that it hears to a pcapng file, for Wireshark and tcpdump. */
import { closeSync, openSync, writeSync } from "node:fs";
import { PcapngLinkType } from "../../../generated/capture/pcapng.js";
import type { FramePort } from "../../device/index.js";
import { PcapngWriter } from "../../streams/index.js";

/** Frames are gathered, so that each does not cost a system call. @unit bytes */
const BATCH = 1 << 16;
/** What is gathered is in the file after this at the latest. In milliseconds. */
const FLUSH_AFTER = 500;

export class FrameRecorder implements FramePort {
  /** Frames that were recorded. */
  frames = 0;
  private readonly file: number;
  private readonly writer: PcapngWriter;
  private readonly interfaceId: number;
  private readonly timer: NodeJS.Timeout;
  private readonly start = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  private gathered: Uint8Array[] = [];
  private size = 0;

  /** An existing file is not overwritten. Throws what opening it throws, e.g. EEXIST. */
  constructor(path: string, name: string) {
    this.file = openSync(path, "wx");
    this.writer = new PcapngWriter((bytes) => this.gather(bytes));
    this.interfaceId = this.writer.addInterface(PcapngLinkType.LINKTYPE_ETHERNET, name);
    this.flush();
    this.timer = setInterval(() => this.flush(), FLUSH_AFTER);
    this.timer.unref();
  }

  receive(bytes: Uint8Array, length: number): void {
    const time = this.start + process.hrtime.bigint();
    this.writer.packet(this.interfaceId, bytes.subarray(0, length), { time });
    this.frames++;
  }

  close(): void {
    clearInterval(this.timer);
    this.flush();
    closeSync(this.file);
  }

  private gather(bytes: Uint8Array): void {
    this.gathered.push(bytes);
    this.size += bytes.length;
    if (this.size >= BATCH) this.flush();
  }

  private flush(): void {
    const bytes = Buffer.concat(this.gathered, this.size);
    this.gathered = [];
    this.size = 0;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.file, bytes, at);
  }
}
