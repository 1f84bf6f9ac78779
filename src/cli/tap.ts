/** `virtwire tap`: records a vhost-user conversation while it goes on. */
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import type { ArgsDef } from "citty";
import { ConversationWriter } from "../streams/vhost-user/pcapng-writer.js";
import {
  NoSystemCallsError,
  SystemCallError,
  Tap,
  type TapHandler,
  type TapRecord,
} from "../vhost-user/index.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  listen: {
    type: "string",
    valueHint: "SOCKET",
    description: "Where the front-end connects to: a path that does not exist yet.",
    required: true,
  },
  connect: {
    type: "string",
    valueHint: "SOCKET",
    description: "Where the back-end listens.",
    required: true,
  },
  output: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description: "The recording, a pcapng file: one interface a session.",
    required: true,
  },
  once: {
    type: "boolean",
    description: "End with the first session, instead of waiting for a front-end that connects again.",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire tap --listen tap.sock --connect vu.sock -o talk.pcapng   # the front-end gets tap.sock",
  "virtwire inspect talk.pcapng && virtwire check talk.pcapng",
];

export function tapVerb(io: Io): Verb {
  return defineVerb({
    name: "tap",
    details:
      "Every message of both channels, when, with how many descriptors, and the state of the back-end as it is migrated.",
    args,
    examples,
    exits: { ok: "it was ended" },
    run: ({ listen, connect, output, once }) => tap(listen, connect, output, once === true, io),
  });
}

async function tap(listen: string, connect: string, output: string, once: boolean, io: Io): Promise<number> {
  const recorder = new Recorder(output, io);
  let end = (_error?: Error): void => {};
  const ended = new Promise<Error | undefined>((resolve) => {
    end = resolve;
  });
  try {
    const proxy = await open(listen, connect, output, {
      began: (session) => recorder.say(`session ${session}: a front-end has connected`),
      record: (session, record) => {
        try {
          recorder.record(session, record);
        } catch (error) {
          end(error instanceof Error ? error : new Error(String(error)));
        }
      },
      ended: (session, error) => {
        recorder.say(`session ${session}: ${error === undefined ? "closed" : error.message}`);
        if (once) end();
      },
      refused: (error) => io.err(`a front-end was turned away: ${error.message}\n`),
    });
    recorder.say(`listening on ${listen}, Ctrl-C ends it`);
    const failure = await Promise.race([ended, io.interrupted().then(() => undefined)]);
    proxy.close();
    if (failure !== undefined) throw failure;
  } finally {
    recorder.close();
  }
  io.out(`${output}: ${recorder.summary()}\n`);
  return EXIT.ok;
}

/** Leaves no empty recording behind when it cannot listen. */
async function open(listen: string, connect: string, output: string, handler: TapHandler): Promise<Tap> {
  try {
    return await Tap.open(listen, connect, handler);
  } catch (error) {
    rmSync(output, { force: true });
    const isTheirs =
      error instanceof NoSystemCallsError || error instanceof SystemCallError || error instanceof RangeError;
    throw isTheirs ? new UsageError(error.message) : error;
  }
}

/** The file, and what is said about it meanwhile. */
class Recorder {
  private readonly file: number;
  private readonly writer: ConversationWriter;
  private readonly io: Io;
  private readonly start = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  private readonly sessions = new Set<number>();
  private messages = 0;
  private stateBytes = 0;

  constructor(output: string, io: Io) {
    this.io = io;
    try {
      this.file = openSync(output, "wx");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") {
        throw new UsageError(`${output} exists, and is not overwritten`);
      }
      throw error;
    }
    this.writer = new ConversationWriter((bytes) => {
      writeFileSync(this.file, bytes);
    });
  }

  record(session: number, { from, channel, bytes, fds }: TapRecord): void {
    this.sessions.add(session);
    if (channel === "state") this.stateBytes += bytes.length;
    else this.messages++;
    const time = this.start + process.hrtime.bigint();
    this.writer.piece({ from, channel, bytes, fds, time, session: `session ${session}` });
  }

  say(text: string): void {
    if (this.io.errIsTerminal) this.io.err(`${text}\n`);
  }

  summary(): string {
    const counts = [count(this.sessions.size, "session"), count(this.messages, "message")];
    if (this.stateBytes > 0) counts.push(`${count(this.stateBytes, "byte")} of device state`);
    return counts.join(", ");
  }

  close(): void {
    closeSync(this.file);
  }
}

function count(number: number, name: string): string {
  return `${number.toLocaleString("en-US")} ${name}${number === 1 ? "" : "s"}`;
}
