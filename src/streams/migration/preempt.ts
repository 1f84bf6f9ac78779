/**
 * The channel of the capability postcopy-preempt: pages that were asked for overtake those of the main channel here. It is
 * nothing but records of pages, of the blocks that the main channel has listed, and ends with EOS.
 */
import type { Fault } from "../../runtime/index.js";
import { RamParser } from "../qemu/ram.js";
import { Window } from "../window.js";

export class PreemptChannel {
  /** What could not be read: nothing behind it has been looked at. */
  fault: Fault | undefined;
  readonly ram: RamParser;
  private readonly window = new Window();
  private over = false;

  /** `main`: the reader of the main channel, which has the list of blocks. */
  constructor(main: RamParser) {
    this.ram = new RamParser({ ...main.traits });
    for (const [name, block] of main.blocks) this.ram.blocks.set(name, block);
    this.ram.begin(false);
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => {
      if (!this.over) {
        const stop = this.ram.read(reader, false);
        if (stop.kind === "wanted") return stop.bytes;
        this.over = true;
        if (stop.kind === "fault") this.fault = stop.fault;
      }
      reader.at = reader.end;
      return 1;
    });
  }
}
