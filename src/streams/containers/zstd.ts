/** Unpacks the blocks of zstd, and checks what frames say of what comes out of them: fzstd does not. */
import { Decompress } from "fzstd";
import { ZSTD_CONTENT_CHECKSUM_SIZE } from "../../../generated/capture/zstd.js";
import type { ZstdEvent, ZstdFrameEvent } from "./zstd-frames.js";

/** XXH64, which is WebAssembly and takes a promise to load: who wants checksums checked brings it along. */
export interface Hash64 {
  update(bytes: Uint8Array): unknown;
  digest(): bigint;
}

/** Memory: the window of a frame. */
export class ZstdUnpacker {
  private readonly take: (bytes: Uint8Array) => void;
  private readonly newHash: (() => Hash64) | undefined;
  private decoder: Decompress | undefined;
  private hash: Hash64 | undefined;
  private frame: ZstdFrameEvent | undefined;
  private produced = 0;

  /** `take` is lent what comes out. Without `newHash`, checksums are passed over. */
  constructor(take: (bytes: Uint8Array) => void, newHash?: () => Hash64) {
    this.take = take;
    this.newHash = newHash;
  }

  /** Unpacks what an event brings, a block's worth at most. Throws an `Error` that says what is wrong. */
  event(event: ZstdEvent): void {
    switch (event.kind) {
      case "frame":
        this.frame = event;
        this.produced = 0;
        this.hash = this.newHash?.();
        this.decoder = new Decompress((bytes) => this.unpacked(bytes));
        this.push(event.bytes.slice(), false);
        break;
      case "block":
        // The library keeps what it is given.
        this.push(event.bytes.slice(), false);
        break;
      case "end":
        this.end(event.checksum);
        break;
      case "fault":
        throw new Error(`${event.fault.path}: ${event.fault.detail ?? event.fault.code}`);
    }
  }

  private push(bytes: Uint8Array, isLast: boolean): void {
    let failure: unknown;
    try {
      this.decoder?.push(bytes, isLast);
    } catch (error) {
      failure = error;
    }
    if (failure === undefined) return;
    // Errors of its own have a code; what it stumbles over has none.
    const isOwn = failure instanceof Error && "code" in failure;
    throw isOwn ? failure : new Error("its data does not make sense", { cause: failure });
  }

  private unpacked(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.produced += bytes.length;
    this.hash?.update(bytes);
    this.take(bytes);
  }

  private end(checksum: number | undefined): void {
    // The library holds back frames of a few bytes until it knows that they are over.
    this.push(new Uint8Array(checksum === undefined ? 0 : ZSTD_CONTENT_CHECKSUM_SIZE), true);
    const { contentSize = this.produced } = this.frame ?? {};
    if (contentSize !== this.produced) {
      throw new Error(`${this.produced} bytes come out of a frame of ${contentSize}`);
    }
    if (checksum === undefined || this.hash === undefined) return;
    const found = Number(BigInt.asUintN(32, this.hash.digest()));
    if (found !== checksum) {
      throw new Error(`the checksum is 0x${found.toString(16)}, the file says 0x${checksum.toString(16)}`);
    }
  }
}
