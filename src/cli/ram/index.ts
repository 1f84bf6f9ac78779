/** `virtwire ram`: the guest's memory, as the streams of a migration leave it. */
import type { ArgsDef } from "citty";
import { captureArgs } from "../capture.js";
import { type Io, UsageError } from "../io.js";
import { defineVerb, type Verb } from "../verb.js";
import { extract } from "./extract.js";
import { list } from "./list.js";
import { read } from "./read.js";

const args = {
  action: {
    type: "positional",
    description: "list: blocks and pages. extract: one block to a file. read: a piece as hexadecimal.",
    required: true,
  },
  file: {
    type: "positional",
    description:
      "The main stream, and the files of its other channels; - is standard input. For read, the address comes last.",
    required: true,
  },
  block: { type: "string", valueHint: "NAME", description: "extract: which block." },
  output: { type: "string", alias: "o", valueHint: "OUT", description: "extract: the file to write." },
  length: {
    type: "string",
    default: "256",
    valueHint: "N",
    description: "read: how many bytes.",
  },
  snapshot: captureArgs.snapshot,
  format: { type: "enum", options: ["text", "json"], default: "text", description: "list: how to print it." },
} as const satisfies ArgsDef;

const examples = [
  "virtwire ram list vm.mig",
  "virtwire ram list main.bin channel0.bin channel1.bin",
  "virtwire ram extract vm.mig --block pc.ram -o memory.bin",
  "virtwire ram read vm.mig pc.bios+0x3fff0 --length 16",
  "virtwire ram read vm.mig 0x7c00",
  "virtwire ram extract --snapshot before disk.qcow2 --block pc.ram -o memory.bin",
  "ssh host zstdcat vm.mig.zst | virtwire ram list -",
];

export function ramVerb(io: Io): Verb {
  return defineVerb({
    name: "ram",
    args,
    examples,
    exits: { ok: "done", malformed: "the streams are damaged; extract and read: pages are missing" },
    repeats: true,
    run: ({ action, block, output, length, snapshot, format, _: [, ...files] }) => {
      switch (action) {
        case "list":
          return list({ files, snapshot }, format, io);
        case "extract":
          if (block === undefined || output === undefined) {
            throw new UsageError("extract needs --block NAME and -o OUT");
          }
          return extract({ files, snapshot }, block, output, io);
        case "read": {
          const address = files.at(-1);
          if (address === undefined || files.length < 2)
            throw new UsageError("read needs files and an address");
          if (!/^[1-9]\d*$/.test(length)) throw new UsageError(`--length: ${length} is no number of bytes`);
          return read({ files: files.slice(0, -1), snapshot }, address, Number(length), io);
        }
        default:
          throw new UsageError(`${JSON.stringify(action)}: list, extract or read`);
      }
    },
  });
}
