/** `--schema-from`: takes the description of the devices from another stream, or from a dump of QEMU's vmstates. */
import type { ArgsDef } from "citty";
import type { BorrowedDescription } from "../inspect/inspection.js";
import { type Description, readDescription } from "../streams/qemu/description.js";
import { QemuStreamParser } from "../streams/qemu/parser.js";
import { readVmstateDump } from "../streams/qemu/vmstate-dump.js";
import { describe } from "./capture.js";
import { type Input, openInput, refuseToReadTwice } from "./input.js";
import { type Io, UsageError } from "./io.js";

export const schemaFromArgs = {
  "schema-from": {
    type: "string",
    valueHint: "OTHER",
    description:
      "Read devices as this stream of the same machine describes them, or this file of -dump-vmstate, where FILE does not.",
  },
} as const satisfies ArgsDef;

/** `other` as the user gave it, beside the captures `files`. Throws `UsageError` when there is no description in it. */
export async function borrowDescription(
  other: string | undefined,
  files: readonly string[],
  io: Io,
  snapshot?: string,
): Promise<BorrowedDescription | undefined> {
  if (other === undefined) return undefined;
  refuseToReadTwice([other, ...files]);
  const input = openInput(other, io, { snapshot });
  try {
    const description = describe(input) ?? (await search(input));
    if (description === undefined) {
      throw new UsageError(
        `--schema-from ${other}: no QEMU stream with a description of its devices, and no -dump-vmstate file`,
      );
    }
    return { from: input.name, description };
  } finally {
    input.close();
  }
}

/** Of the text of a dump; QEMU's are about one megabyte. */
const MAX_DUMP = 64 << 20;
const BRACE = 0x7b;

/** What only flows, as compressed streams do, is read from the front. */
async function search(input: Input): Promise<BorrowedDescription["description"] | undefined> {
  let found: Description | undefined;
  let dump: Uint8Array[] | undefined;
  let size = 0;
  const parser = new QemuStreamParser((event) => {
    if (event.kind === "description" && event.text !== undefined) {
      found ??= readDescription(event.text).description;
    }
  });
  for await (const chunk of input.chunks()) {
    if (size === 0 && chunk[0] === BRACE) dump = [];
    size += chunk.length;
    if (dump === undefined) parser.push(chunk);
    else if (size <= MAX_DUMP) dump.push(chunk.slice());
    else return undefined;
  }
  if (dump !== undefined) return readVmstateDump(Buffer.concat(dump));
  parser.end();
  return found;
}
