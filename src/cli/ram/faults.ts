/** Says what is wrong with a stream; a damaged one can have any number of faults. */
import { describeFault, hex } from "../../inspect/index.js";
import type { Fault } from "../../runtime/index.js";
import type { Io } from "../io.js";

/** Faults that are said in full. */
const SAID = 10;

export class SaidFaults {
  count = 0;
  private readonly lines: string[] = [];

  /** `name`: of the file. */
  add(name: string, fault: Fault): void {
    this.count++;
    if (this.lines.length < SAID) this.lines.push(`${name}:${hex(fault.offset)}: ${describeFault(fault)}\n`);
  }

  say(io: Io): void {
    for (const line of this.lines) io.err(line);
    const more = this.count - this.lines.length;
    if (more > 0) io.err(`and ${more} more\n`);
  }
}
