/** Brings the contents of pages together from where an image says that they lie. */
import { applyChanges } from "./changes.js";
import type { RamImage } from "./image.js";

/** Reads `size` bytes at an offset of an input; fewer where the input ends. */
export type ReadAt = (input: number, at: number, size: number) => Uint8Array;

export type PageContent =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "zero" }
  | { readonly kind: "missing" }
  /** It must be unpacked: see ChannelUnpacker. */
  | { readonly kind: "packed"; readonly input: number; readonly ordinal: number }
  /** The input does not hold what it should. */
  | { readonly kind: "unreadable"; readonly input: number; readonly at: number };

export class PageReader {
  private readonly image: RamImage;
  private readonly readAt: ReadAt;
  private readonly main: number;

  /** `main`: the number of the main stream among the inputs. */
  constructor(image: RamImage, main: number, readAt: ReadAt) {
    this.image = image;
    this.main = main;
    this.readAt = readAt;
  }

  /** The content of a page of `pageSize` bytes by its code. */
  read(code: number, pageSize: number): PageContent {
    // A page may have been changed any number of times: from the newest change back to what was sent whole.
    const changes: number[] = [];
    let location = this.image.locate(code);
    while (location.kind === "changed") {
      changes.push(location.index);
      location = this.image.locate(this.image.changeAt(location.index).base);
    }
    if (location.kind === "missing" || location.kind === "packed") return location;
    if (location.kind === "zero" && changes.length === 0) return location;
    let bytes = new Uint8Array(pageSize);
    if (location.kind === "plain") {
      const { input, at } = location;
      const read = this.readAt(input, at, pageSize);
      if (read.length < pageSize) return { kind: "unreadable", input, at };
      bytes = read.slice();
    }
    for (const index of changes.reverse()) {
      const { at, length } = this.image.changeAt(index);
      const data = this.readAt(this.main, at, length);
      if (data.length < length || !applyChanges(bytes, data)) {
        return { kind: "unreadable", input: this.main, at };
      }
    }
    return { kind: "bytes", bytes };
  }
}
