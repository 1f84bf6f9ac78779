/** `virtwire send`: plays a migration stream into a QEMU that waits for one. */
import { statSync } from "node:fs";
import type { ArgsDef } from "citty";
import { formatAddress } from "../transfer/address.js";
import { type Sent, sendMigration } from "../transfer/send.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { Progress } from "./progress.js";
import { addressOf } from "./receive.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: { type: "positional", description: "The stream: that of the main channel.", required: true },
  to: {
    type: "string",
    valueHint: "SOCKET",
    description: "Where QEMU listens (-incoming): PATH, unix:PATH or tcp:HOST:PORT.",
    required: true,
  },
  channels: {
    type: "string",
    valueHint: "FILES",
    description: "Files of multifd channels, or of postcopy-preempt, with commas between.",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire send vm.mig --to unix:vm.sock               # for: qemu-system-x86_64 … -incoming unix:vm.sock",
  "virtwire send vm.mig --channels vm.mig.ch1,vm.mig.ch2 --to tcp:localhost:4444",
];

export function sendVerb(io: Io): Verb {
  return defineVerb({
    name: "send",
    args,
    examples,
    exits: { ok: "the destination took it, or never says", differs: "it did not take it" },
    run: async ({ file, to, channels }) => {
      const address = addressOf(to);
      const others = channels === undefined ? [] : channels.split(",");
      const progress = new Progress(io, { size: sizeOf([file, ...others]) });
      const onBytes = (bytes: number): void => progress.advance(bytes);
      try {
        const sent = await sendMigration({ address, file, channels: others, onBytes });
        progress.end();
        return report(sent, `${file} to ${formatAddress(address)}`, io);
      } finally {
        progress.end();
      }
    },
  });
}

/** Together, in bytes. Before anything is connected: a name that is wrong must not cost QEMU its only try. */
function sizeOf(files: readonly string[]): number {
  let size = 0;
  for (const file of files) {
    const stats = statSync(file);
    if (!stats.isFile()) throw new UsageError(`${file} is no file`);
    size += stats.size;
  }
  return size;
}

function report({ verdict, bytes, answers }: Sent, what: string, io: Io): number {
  io.out(`${what}: ${bytes.toLocaleString("en-US")} bytes\n`);
  const said = [...answers].map(([name, count]) => (count === 1 ? name : `${name} × ${count}`));
  if (said.length > 0) io.out(`return path: ${said.join(", ")}\n`);
  switch (verdict) {
    case "loaded":
      io.out("the destination has loaded it\n");
      return EXIT.ok;
    case "sent":
      io.out(
        "sent; the stream opens no return path, so only the destination knows whether it has loaded it\n",
      );
      return EXIT.ok;
    case "refused":
      io.err("the destination reports that it cannot load it: its standard error says why\n");
      return EXIT.differs;
    case "closed":
      io.err("the destination closed the connection: its standard error says why\n");
      return EXIT.differs;
  }
}
