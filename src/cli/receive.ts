/** `virtwire receive`: takes a live migration off a real QEMU. */
import { existsSync } from "node:fs";
import type { ArgsDef } from "citty";
import { describeFault } from "../inspect/fault-text.js";
import { hex } from "../inspect/report.js";
import { type Address, formatAddress, parseAddress } from "../transfer/address.js";
import { type Received, type ReceiveOptions, receiveMigration } from "../transfer/receive.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { Progress } from "./progress.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  listen: {
    type: "string",
    valueHint: "SOCKET",
    description: "Where the source connects to: PATH, unix:PATH or tcp:HOST:PORT.",
    required: true,
  },
  output: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description:
      "Where the main channel goes. Further channels go to FILE.ch1, FILE.ch2 …, what was answered to FILE.return.",
    required: true,
  },
  "switchover-ack": {
    type: "boolean",
    description: "The source has the capability switchover-ack, and waits for that message.",
  },
  recover: {
    type: "boolean",
    description: "When the connection breaks in postcopy, wait until the source connects again (migrate -r).",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire receive --listen unix:vm.sock -o vm.mig     # then, in QEMU's monitor: migrate unix:vm.sock",
  "virtwire receive --listen tcp:0.0.0.0:4444 -o vm.mig",
];

export function receiveVerb(io: Io): Verb {
  return defineVerb({
    name: "receive",
    details: "When it is over, the guest is stopped at its source, as after any migration.",
    args,
    examples,
    exits: { ok: "the stream is whole", malformed: "it is damaged or not whole" },
    run: ({ listen, output, "switchover-ack": switchoverAck, recover }) => {
      if (existsSync(output)) throw new UsageError(`${output} exists, and is not overwritten`);
      const answers = { switchoverAck: switchoverAck === true, recover: recover === true };
      return receive(addressOf(listen), output, answers, io);
    },
  });
}

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined)
    throw new UsageError(`no address: ${JSON.stringify(text)} (PATH, unix:PATH or tcp:HOST:PORT)`);
  return address;
}

async function receive(
  address: Address,
  output: string,
  answers: Pick<ReceiveOptions, "switchoverAck" | "recover">,
  io: Io,
): Promise<number> {
  const progress = new Progress(io);
  let received: Received;
  try {
    received = await receiveMigration({
      address,
      output,
      ...answers,
      onListening: () => {
        if (io.errIsTerminal) io.err(`listening on ${formatAddress(address)}, Ctrl-C ends it\n`);
      },
      onLost: () => {
        progress.end();
        io.err(`${output}: the connection broke: waiting for the source to connect again (migrate -r)\n`);
      },
      onBytes: (bytes, share) => progress.advance(bytes, share),
      interrupted: io.interrupted(),
    });
  } finally {
    progress.end();
  }
  const { channels, pageRequests, faults, whole } = received;
  for (const { kind, file, bytes } of channels)
    io.out(`${file}: ${TITLES[kind]}, ${bytes.toLocaleString("en-US")} bytes\n`);
  if (pageRequests > 0) io.out(`${output}: postcopy, ${pageRequests} page requests sent\n`);
  for (const fault of faults) io.err(`${output}:${hex(fault.offset)}: ${describeFault(fault)}\n`);
  if (!whole && faults.length === 0) io.err(`${output}: interrupted: the stream is not whole\n`);
  return whole ? EXIT.ok : EXIT.malformed;
}

const TITLES = {
  main: "main channel",
  resumed: "main channel, after the break",
  multifd: "multifd channel",
  "postcopy-preempt": "postcopy-preempt channel",
  return: "return path",
} as const;
