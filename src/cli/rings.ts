/** `virtwire rings`: the virtqueues of a migration's devices, out of the guest's memory and the devices' states. */
import type { ArgsDef } from "citty";
import { type RingsReport, ringsJson, ringsText } from "../inspect/rings/index.js";
import { captureArgs } from "./capture.js";
import { Batch, EXIT, type Io } from "./io.js";
import { withMemory } from "./ram/memory.js";
import { readRings } from "./ram/rings.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: {
    type: "positional",
    description: "The main stream, and the files of its other channels; - is standard input.",
    required: true,
  },
  device: {
    type: "string",
    valueHint: "SECTION",
    description:
      "Which device: its section or a half of it (0000:00:02.0/virtio-net, virtio-blk); all without it.",
  },
  all: { type: "boolean", description: "Show every buffer in flight, and every descriptor." },
  snapshot: captureArgs.snapshot,
  format: {
    type: "enum",
    options: ["text", "json", "jsonl"],
    default: "text",
    description: "How to print them; of json and jsonl, a device is an object.",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire rings vm.mig",
  "virtwire rings vm.mig --device virtio-blk --all",
  "virtwire rings main.bin channel0.bin channel1.bin",
  "virtwire rings vm.mig --format jsonl | jq 'select(.queues[]?.verdict == \"index\").device'",
];

export function ringsVerb(io: Io): Verb {
  return defineVerb({
    name: "rings",
    args,
    examples,
    exits: {
      ok: "all that can be read is sound",
      differs: "QEMU would find a virtqueue wrong",
      malformed: "the stream is damaged",
    },
    repeats: true,
    run: ({ device, all, snapshot, format, _: files }) =>
      withMemory({ files, snapshot }, io, async (memory) => {
        const reports = await readRings(memory, device, io);
        write(reports, format, all === true, io);
        if (memory.faults > 0 || reports.some(({ rings }) => rings === undefined)) return EXIT.malformed;
        return reports.some(isWrong) ? EXIT.differs : EXIT.ok;
      }),
  });
}

function write(reports: readonly RingsReport[], format: string, isWhole: boolean, io: Io): void {
  const batch = new Batch(io.out);
  if (format === "json") {
    batch.write(`[\n${reports.map(ringsJson).join(",\n")}\n]\n`);
  } else if (format === "jsonl") {
    for (const report of reports) batch.write(`${ringsJson(report)}\n`);
  } else {
    batch.write(reports.length === 0 ? "no virtio device in the stream\n" : ringsText(reports, { isWhole }));
  }
  batch.flush();
}

function isWrong({ rings }: RingsReport): boolean {
  return rings?.queues.some((queue) => queue.kind === "split" && isRefused(queue.verdict)) ?? false;
}

function isRefused(verdict: string | undefined): boolean {
  return verdict === "index" || verdict === "inuse";
}
