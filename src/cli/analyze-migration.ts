/** `virtwire inspect --compat analyze-migration`: what QEMU's own script prints, for scripts that read its output. */
import { type DumpPart, MigrationDump } from "../inspect/analyze-migration/index.js";
import { describeFault } from "../inspect/fault-text.js";
import { hex } from "../inspect/report.js";
import type { Description } from "../streams/qemu/description.js";
import type { Input } from "./input.js";
import { Batch, EXIT, type Io } from "./io.js";
import { Progress } from "./progress.js";

export async function analyzeMigration(
  input: Input,
  part: DumpPart,
  description: Description | undefined,
  io: Io,
): Promise<number> {
  const batch = new Batch(io.out);
  const progress = new Progress(io, { size: input.size });
  const dump = new MigrationDump(part, description);
  for await (const chunk of input.chunks()) {
    progress.advance(chunk.length);
    dump.push(chunk);
  }
  progress.end();
  const { faults, unprinted } = dump.end(batch.write);
  batch.flush();
  const { damage } = input;
  const [fault] = [...faults].sort((a, b) => a.offset - b.offset);
  // What a wrapper does not give is missing in what it holds: the cause comes first.
  for (const one of [damage, fault]) {
    if (one !== undefined) io.err(`${input.name}:${hex(one.offset)}: ${describeFault(one)}\n`);
  }
  for (const name of unprinted)
    io.err(`${input.name}: note: ${name} is left out: the script cannot print it\n`);
  return fault === undefined && damage === undefined ? EXIT.ok : EXIT.malformed;
}
