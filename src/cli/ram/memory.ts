/** Opens the files of a migration, finds out which is which, and makes an image of the guest's memory from them. */
import { DETECTION_SIZE, detectKind } from "../../inspect/index.js";
import {
  type ImageBlock,
  isResumedMain,
  PageReader,
  type RamImage,
  RamImageBuilder,
  type StreamTarget,
} from "../../streams/index.js";
import { describe, skimmed } from "../capture.js";
import { openSeekable, refuseToReadTwice, type SeekableInput } from "../input.js";
import { type Io, UsageError } from "../io.js";
import { Progress } from "../progress.js";
import { SaidFaults } from "./faults.js";

export interface GuestMemory {
  readonly image: RamImage;
  readonly machine: string | undefined;
  /** Blocks that both sides share are left out of the stream, and no migration carries them. */
  readonly sharedIgnored: boolean;
  readonly reader: PageReader;
  /** Faults of the streams, already said. */
  readonly faults: number;
  readonly inputs: readonly SeekableInput[];
  /** Which of them is the main stream. */
  readonly main: number;
  /** Pushes all of an input. */
  readonly feed: (input: number, target: StreamTarget) => Promise<void>;
}

/** What a migration lies in. */
export interface MigrationFiles {
  readonly files: readonly string[];
  /** Of a qcow2 image. */
  readonly snapshot: string | undefined;
}

/** Gives the files to `use` as long as they are open. */
export async function withMemory<T>(
  { files, snapshot }: MigrationFiles,
  io: Io,
  use: (memory: GuestMemory) => Promise<T>,
): Promise<T> {
  refuseToReadTwice(files);
  const inputs: SeekableInput[] = [];
  try {
    for (const file of files) inputs.push(await openSeekable(file, io, { snapshot }));
    return await use(await load(inputs, io));
  } finally {
    for (const input of inputs) input.close();
  }
}

async function load(inputs: readonly SeekableInput[], io: Io): Promise<GuestMemory> {
  const roles = inputs.map(roleOf);
  const main = roles.indexOf("main");
  if (main < 0 || main !== roles.lastIndexOf("main")) {
    throw new UsageError(
      `${main < 0 ? "no" : "more than one"} main stream of a QEMU migration among the files`,
    );
  }
  const feed = async (index: number, target: StreamTarget): Promise<void> => {
    const input = inputs[index];
    if (input === undefined) return;
    const progress = new Progress(io, { size: input.size });
    const skip = (limit: number): number => {
      const skipped = target.skip?.(limit) ?? 0;
      progress.advance(skipped);
      return skipped;
    };
    for await (const chunk of skimmed(input, skip)) {
      progress.advance(chunk.length);
      target.push(chunk);
    }
    target.end();
    progress.end();
  };
  const channels = roles.includes("channel");
  // After each break of the connection, in the order in which they are given.
  const resumed = [...roles.keys()].filter((index) => roles[index] === "resumed");
  const description = inputs[main] && describe(inputs[main]);
  let pageSize: number | undefined;
  while (true) {
    const said = new SaidFaults();
    const builder = new RamImageBuilder({
      channels,
      description,
      origin: inputs[main]?.origin ?? 0,
      pageSize,
      onFault: (fault, input) => said.add(inputs[input]?.name ?? "", fault),
    });
    await feed(main, builder.main(main, resumed.length > 0));
    for (const [number, index] of resumed.entries()) {
      await feed(index, builder.resumed(index, number < resumed.length - 1));
    }
    if (builder.mustRestart) {
      pageSize = builder.pageSize;
      continue;
    }
    for (const [index, role] of roles.entries()) {
      if (role === "channel") await feed(index, builder.channel(index));
      else if (role === "preempt") await feed(index, builder.preempt(index, resumed.length > 0));
    }
    const wrappers = new SaidFaults();
    for (const { name, damage } of inputs) if (damage !== undefined) wrappers.add(name, damage);
    // What a wrapper does not give is missing in what it holds: the cause comes first.
    wrappers.say(io);
    said.say(io);
    const faults = said.count + wrappers.count;
    const { image, machine, capabilities } = builder;
    const reader = new PageReader(image, main, (input, at, size) => {
      return inputs[input]?.read(at, size) ?? new Uint8Array(0);
    });
    const sharedIgnored = capabilities.includes("x-ignore-shared");
    return { image, machine, sharedIgnored, reader, faults, inputs, main, feed };
  }
}

function roleOf(input: SeekableInput): "main" | "resumed" | "channel" | "preempt" | "none" {
  const prefix = input.read(0, DETECTION_SIZE);
  if (isResumedMain(prefix)) return "resumed";
  const detected = detectKind(prefix);
  switch (detected.kind) {
    case "qemu-stream":
      return "main";
    case "qemu-multifd":
      return "channel";
    case "qemu-preempt":
      return "preempt";
    case "qemu-return-path":
      return "none";
    default:
      throw new UsageError(
        `${input.name} is no stream of a QEMU migration${detected.kind === "unsupported" ? `: ${detected.what}` : ""}`,
      );
  }
}

/** Throws `UsageError` when there is no such block. */
export function blockNamed({ image }: GuestMemory, name: string): ImageBlock {
  const block = image.block(name);
  if (block !== undefined) return block;
  const names = image.blocks.map((one) => one.name).join(", ");
  throw new UsageError(`no block is called ${JSON.stringify(name)}: there are ${names || "none"}`);
}
