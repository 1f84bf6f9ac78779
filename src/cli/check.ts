/** `virtwire check`: holds a vhost-user conversation to the rules of its specification. */
import type { ArgsDef } from "citty";
import { nameOf } from "../inspect/conversation/fields.js";
import { ConversationInspection } from "../inspect/conversation/inspection.js";
import { describeFault } from "../inspect/fault-text.js";
import { hex } from "../inspect/report.js";
import type { Finding } from "../streams/vhost-user/check.js";
import { withWrappers } from "./containers/summary.js";
import { type Input, openInput } from "./input.js";
import { Batch, EXIT, type Io } from "./io.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: {
    type: "positional",
    description:
      "The conversation (pcapng, JSON lines, an strace log, bytes of one direction), or - for standard input.",
    required: true,
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire check vhost-user.jsonl",
  "virtwire check vhost-user.pcapng",
  "strace -f -xx -s 8192 -e trace=sendmsg,recvmsg,read,write -p PID 2>&1 | virtwire check -",
];

export function checkVerb(io: Io): Verb {
  return defineVerb({
    name: "check",
    args,
    examples,
    exits: { ok: "no rule is broken", differs: "one is", malformed: "the recording is damaged" },
    run: async ({ file }) => {
      const input = openInput(file, io);
      try {
        return await check(input, io);
      } finally {
        input.close();
      }
    },
  });
}

async function check(input: Input, io: Io): Promise<number> {
  const inspection = new ConversationInspection({ record: () => {} });
  for await (const chunk of input.chunks()) inspection.push(chunk);
  const summary = withWrappers(inspection.end(), input);
  const { findings, findingCount, damageCount, messages } = inspection;
  const batch = new Batch(io.out);
  for (const finding of findings) batch.write(`${input.name}: ${findingText(finding)}\n`);
  if (findingCount > findings.length) batch.write(`and ${findingCount - findings.length} more\n`);
  const verdict = findingCount === 0 ? "no rule is broken" : `${findingCount} broken`;
  if (messages > 0) batch.write(`${input.name}: ${messages} messages, ${verdict}\n`);
  for (const note of summary.notes) batch.write(`${input.name}: note: ${note}\n`);
  batch.flush();
  if (damageCount > 0 || input.damage !== undefined) {
    for (const fault of summary.faults) {
      io.err(`${input.name}:${hex(fault.offset)}: ${describeFault(fault)}\n`);
    }
    return EXIT.malformed;
  }
  if (messages === 0) {
    io.err(`${input.name}: no vhost-user conversation\n`);
    return EXIT.malformed;
  }
  return findingCount === 0 ? EXIT.ok : EXIT.differs;
}

function findingText({ rule, message, detail }: Finding): string {
  const { index, at, from, isReply } = message;
  const place = `message ${index} at ${hex(at)} (${from}, ${nameOf(message)}${isReply ? " reply" : ""})`;
  return `${place}: ${rule.id}: ${detail}\n  ${rule.says}\n  vhost-user.rst, ${rule.section}`;
}
