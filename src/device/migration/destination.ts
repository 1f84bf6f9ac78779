/**
 * The destination's side of a live migration: takes pages and states in, lets the devices take them over, and runs the
 * guest when it is handed over. Everything that comes is checked before it is used; until the guest is handed over, the
 * migration can be given up at any point, and memory and devices are as new.
 */
import {
  type GuestBegin,
  type GuestMessage,
  guestMessageTypeName,
} from "../../../generated/migration/guest-stream.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import type { MigrationChannel } from "./channel.js";
import { Interruption } from "./interruption.js";
import type { DestinationMember } from "./member.js";
import { AnswerSender, MessageReceiver, reasonText } from "./messages.js";
import { asMigrationError, attempted, MigrationError } from "./migration-error.js";
import { ArrivingPages, memorySize, rangesOf } from "./pages.js";
import type { MigrationEvent } from "./progress.js";

const LARGEST_STATE = 1 << 24;

export interface ReceiveOptions {
  readonly channel: MigrationChannel;
  /** Of the same regions as at the source; its pages are zero, as new memory is. */
  readonly memory: GuestMemory;
  /** In the order in which the source has them; as new, as a reset leaves them. */
  readonly members: readonly DestinationMember[];
  readonly processors: {
    /** The guest is here: its devices are at work. */
    resume(): void | Promise<void>;
  };
  /** The longest state of a member that is taken, in bytes; 16 MiB when left out. */
  readonly largestState?: number;
  readonly onEvent?: (event: MigrationEvent) => void;
  /** Gives the migration up. Too late once the guest is handed over. */
  readonly signal?: AbortSignal;
}

export interface Taken {
  /** All that came over the connection. */
  readonly bytes: number;
}

/**
 * Takes the guest that `sendGuest` sends from the other end of the channel. Retains a message and a chunk, besides what
 * devices gather.
 * @throws MigrationError; memory and devices are as new then, unless the guest was handed over and they fail to run it.
 */
export async function receiveGuest(options: ReceiveOptions): Promise<Taken> {
  return await new GuestReceiver(options).run();
}

/** A member's state on its way. */
interface Arriving {
  readonly member: DestinationMember;
  /** Of the state that is not whole yet. */
  size: number;
  /** A state has come whole. */
  whole: boolean;
}

class GuestReceiver {
  private readonly options: ReceiveOptions;
  private readonly arriving: readonly Arriving[];
  private readonly interruption = new Interruption();
  private readonly messages: MessageReceiver;
  private readonly answers: AnswerSender;
  private readonly begun: DestinationMember[] = [];
  private pages: ArrivingPages | undefined;
  private taken = 0;
  private round = 0;
  private loaded = false;
  private handedOver = false;

  constructor(options: ReceiveOptions) {
    this.options = options;
    this.arriving = options.members.map((member) => ({ member, size: 0, whole: false }));
    this.messages = new MessageReceiver(options.channel);
    this.answers = new AnswerSender(options.channel, this.interruption);
  }

  async run(): Promise<Taken> {
    const { signal } = this.options;
    const giveUp = (): void =>
      this.interruption.interrupt(
        new MigrationError("aborted", "the destination was told to give up", { cause: signal?.reason }),
      );
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    try {
      while (!this.handedOver) await this.take(await this.interruption.of(this.messages.next()));
      this.answers.leave();
      return { bytes: this.messages.bytes };
    } catch (error) {
      throw await this.fail(asMigrationError(error));
    } finally {
      signal?.removeEventListener("abort", giveUp);
      this.messages.leave();
    }
  }

  private async take({ type, body }: GuestMessage): Promise<void> {
    if (body.case === "abort") {
      throw new MigrationError("peer", `the source has given up: ${body.value.text}`);
    }
    const { pages } = this;
    if (body.case === "begin") {
      if (pages !== undefined) throw outOfPlace(type);
      await this.begin(body.value);
      return;
    }
    if (pages === undefined || this.loaded !== (body.case === "guestMessageResume")) throw outOfPlace(type);
    switch (body.case) {
      case "pages":
        pages.put(body.value.address, body.value.data);
        this.tellPages(body.value.data.length / pages.pageSize);
        break;
      case "zeroPages":
        pages.putZeros(body.value.address, body.value.length);
        this.tellPages(body.value.length / pages.pageSize);
        break;
      case "state":
        this.state(body.value.member, body.value.data);
        break;
      case "stateEnd":
        this.stateEnd(body.value.member);
        break;
      case "roundEnd":
        await this.roundEnd(body.value.round);
        break;
      case "guestMessageEnd":
        await this.load();
        break;
      case "guestMessageResume":
        await this.resume();
        break;
    }
  }

  private async begin({ pageSize, regions, members }: GuestBegin): Promise<void> {
    const { memory } = this.options;
    const ranges = rangesOf(memory, pageSize);
    const same = (a: readonly unknown[], b: readonly unknown[]): boolean => String(a) === String(b);
    const theirs = regions.flatMap(({ address, size }) => [address, size]);
    if (
      !same(
        theirs,
        ranges.flatMap(({ address, length }) => [address, length]),
      )
    ) {
      throw new MigrationError("mismatch", "the guest has other memory than this host has for it");
    }
    const kinds = this.options.members.flatMap(({ format, device }) => [format, device]);
    if (
      !same(
        members.flatMap(({ format, device }) => [format, device]),
        kinds,
      )
    ) {
      throw new MigrationError(
        "mismatch",
        "the guest has other members than this host, or moves them otherwise",
      );
    }
    this.pages = new ArrivingPages(memory, pageSize, ranges);
    for (const { member } of this.arriving) {
      member.begin();
      this.begun.push(member);
    }
    await this.answers.send({ case: "guestAnswerAccepted", value: undefined });
    this.tell({ kind: "begin", memory: memorySize(memory), pageSize, members: members.length });
  }

  private state(index: number, bytes: Uint8Array): void {
    const arriving = this.arrivingAt(index);
    const { largestState = LARGEST_STATE } = this.options;
    arriving.size += bytes.length;
    if (arriving.size > largestState) {
      throw new MigrationError("limit", `the state of member ${index} has more than ${largestState} bytes`);
    }
    arriving.member.write(bytes);
    this.tell({ kind: "state", member: index, bytes });
  }

  private stateEnd(index: number): void {
    const arriving = this.arrivingAt(index);
    // A device that is given nothing is as new: the guest would find another one than it has left.
    if (arriving.size === 0) throw new MigrationError("protocol", `the state of member ${index} is empty`);
    arriving.size = 0;
    arriving.whole = true;
    arriving.member.end();
    this.tell({ kind: "state-end", member: index });
  }

  private async roundEnd(round: number): Promise<void> {
    this.round = round + 1;
    this.taken = 0;
    await this.answers.send({ case: "roundTaken", value: { round } });
  }

  private async load(): Promise<void> {
    const lacking = this.arriving.findIndex(({ size, whole }) => size > 0 || !whole);
    if (lacking >= 0) throw new MigrationError("protocol", `the state of member ${lacking} is not whole`);
    for (const { member } of this.arriving) member.load();
    this.loaded = true;
    await this.answers.send({ case: "guestAnswerLoaded", value: undefined });
    this.tell({ kind: "loaded" });
  }

  private async resume(): Promise<void> {
    this.handedOver = true;
    for (const { member } of this.arriving) member.resume();
    await this.options.processors.resume();
    await this.answers.send({ case: "guestAnswerResumed", value: undefined });
    this.tell({ kind: "resumed" });
  }

  private arrivingAt(index: number): Arriving {
    const arriving = this.arriving[index];
    if (arriving === undefined) {
      throw new MigrationError("protocol", `there is no member ${index}, but ${this.arriving.length}`);
    }
    return arriving;
  }

  private async fail(error: MigrationError): Promise<MigrationError> {
    if (this.handedOver) {
      // To refuse now would tell the source that nothing has run here.
      this.answers.leave();
      return error;
    }
    const leftovers = await attempted([
      ...this.begun.map((member) => () => member.abort()),
      () => this.pages?.clear(),
    ]);
    this.answers.leave(
      error.code === "peer" ? undefined : { case: "refused", value: { text: reasonText(error) } },
    );
    const told = error.with(leftovers);
    this.tell({ kind: "aborted", error: told });
    return told;
  }

  private tellPages(pages: number): void {
    this.taken += pages;
    this.tell({ kind: "pages", round: this.round, pages: this.taken, of: undefined });
  }

  private tell(event: MigrationEvent): void {
    this.options.onEvent?.(event);
  }
}

function outOfPlace(type: number): MigrationError {
  return new MigrationError("protocol", `the source says ${guestMessageTypeName(type)} out of place`);
}
