/**
 * The source's side of a live migration: memory in rounds while the guest runs, until little enough is dirty; then the
 * guest is stopped, the rest is sent, and the guest handed over. Until that moment it can be given up at any point, and
 * goes on here as if nothing had been.
 */
import {
  GUEST_STREAM_MAX_BYTES,
  type GuestAnswer,
  type GuestAnswerBody,
  type GuestMessageBody,
  guestAnswerTypeName,
} from "../../../generated/migration/guest-stream.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import type { PageRange } from "../memory/written-pages.js";
import type { MigrationChannel } from "./channel.js";
import type { DirtyLog } from "./dirty-log.js";
import { Interruption } from "./interruption.js";
import type { SourceMember } from "./member.js";
import { AnswerReceiver, MessageSender, reasonText } from "./messages.js";
import { asMigrationError, attempted, MigrationError } from "./migration-error.js";
import { allPages, memorySize, PageSet, pageRuns, rangesOf } from "./pages.js";
import { type MigrationEvent, type RoundReport, type SwitchoverPolicy, withinDowntime } from "./progress.js";

const PAGE_SIZE = 4096;
/** As long as a guest may stand still when nothing else is said, in ms. */
const DOWNTIME = 300;
/** Of a state, in one message. */
const STATE_BYTES: number = GUEST_STREAM_MAX_BYTES;

/** The guest's processors, and whatever else of the machine is not a member of the group: whoever runs it stops it. */
export interface SourceProcessors {
  /** What they write into guest memory. */
  readonly writes: DirtyLog;
  /** Nothing of the guest runs when this is over. */
  stop(): void | Promise<void>;
  /** The migration was given up behind `stop`. */
  resume(): void | Promise<void>;
}

export interface SendOptions {
  readonly channel: MigrationChannel;
  readonly memory: GuestMemory;
  /** In the order in which the destination has them. */
  readonly members: readonly SourceMember[];
  readonly processors: SourceProcessors;
  /** In bytes; every device must be able to record pages of this size. 4096 when left out. */
  readonly pageSize?: number;
  /** When left out: once the guest would stand still for no more than 300 ms. */
  readonly switchover?: SwitchoverPolicy;
  readonly onEvent?: (event: MigrationEvent) => void;
  /** Gives the migration up. Too late once the guest is handed over. */
  readonly signal?: AbortSignal;
  /** In milliseconds, from any moment on. */
  readonly clock?: () => number;
}

export interface Sent {
  readonly rounds: readonly RoundReport[];
  /** All that went over the connection. */
  readonly bytes: number;
  /** From stopping the guest to the word that it runs, in ms. */
  readonly downtime: number;
  readonly milliseconds: number;
  /** What of this host would not be cleared away behind the guest; empty as a rule. */
  readonly leftovers: readonly unknown[];
}

/**
 * Moves a guest to whoever calls `receiveGuest` at the other end of the channel. When it is over, the guest runs there;
 * the devices here are stopped, and free for another guest after a reset.
 * @throws MigrationError; unless its code is "undecided", the guest goes on here.
 */
export async function sendGuest(options: SendOptions): Promise<Sent> {
  return await new GuestSender(options).run();
}

/** What is waited for from the other side. */
interface Awaited {
  readonly answer: GuestAnswerBody["case"];
  readonly round: number | undefined;
  readonly resolve: () => void;
}

class GuestSender {
  private readonly options: SendOptions;
  private readonly pageSize: number;
  private readonly ranges: readonly PageRange[];
  private readonly dirty: PageSet;
  private readonly clock: () => number;
  private readonly interruption = new Interruption();
  private readonly messages: MessageSender;
  private readonly answers: AnswerReceiver;
  private readonly rounds: RoundReport[] = [];
  private readonly begun: SourceMember[] = [];
  private readonly watching: DirtyLog[] = [];
  private readonly startedAt: number;
  private stopped = false;
  private handedOver = false;
  private awaited: Awaited | undefined;

  constructor(options: SendOptions) {
    this.options = options;
    this.pageSize = options.pageSize ?? PAGE_SIZE;
    this.ranges = rangesOf(options.memory, this.pageSize);
    this.dirty = new PageSet(this.pageSize, this.ranges);
    this.clock = options.clock ?? (() => performance.now());
    this.messages = new MessageSender(options.channel, this.interruption);
    this.answers = new AnswerReceiver(options.channel);
    this.startedAt = this.clock();
  }

  async run(): Promise<Sent> {
    const { signal } = this.options;
    const giveUp = (): void =>
      this.interruption.interrupt(
        new MigrationError("aborted", "the source was told to give up", { cause: signal?.reason }),
      );
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    try {
      this.listen();
      await this.begin();
      await this.precopy();
      const stoppedAt = this.clock();
      await this.stopAndCopy();
      this.interruption.check();
      signal?.removeEventListener("abort", giveUp);
      await this.handOver();
      const now = this.clock();
      return {
        rounds: this.rounds,
        bytes: this.messages.bytes,
        downtime: now - stoppedAt,
        milliseconds: now - this.startedAt,
        leftovers: await this.clear(),
      };
    } catch (error) {
      throw await this.fail(asMigrationError(error));
    } finally {
      signal?.removeEventListener("abort", giveUp);
      this.answers.leave();
    }
  }

  private async begin(): Promise<void> {
    const { memory, members, processors } = this.options;
    const begin = {
      pageSize: this.pageSize,
      regions: this.ranges.map(({ address, length }) => ({ address, size: length })),
      members: members.map(({ format, device }) => ({ format, device })),
    };
    await this.ask({ case: "begin", value: begin }, "guestAnswerAccepted");
    for (const member of members) {
      member.begin();
      this.begun.push(member);
    }
    // Before the first page is read: what is written from here on is told.
    for (const log of [processors.writes, ...members.map(({ writes }) => writes)]) {
      log.start(this.pageSize, this.ranges);
      this.watching.push(log);
    }
    this.tell({
      kind: "begin",
      memory: memorySize(memory),
      pageSize: this.pageSize,
      members: members.length,
    });
  }

  private async precopy(): Promise<void> {
    const enough = this.options.switchover ?? withinDowntime(DOWNTIME);
    let pages: Iterable<number> = allPages(this.ranges, this.pageSize);
    let count = memorySize(this.options.memory) / this.pageSize;
    while (!enough(await this.round(pages, count))) {
      const dirty = this.dirty.take();
      pages = dirty;
      count = dirty.length;
    }
  }

  private async stopAndCopy(): Promise<void> {
    const { members, processors } = this.options;
    this.stopped = true;
    await processors.stop();
    for (const member of members) member.stop();
    for (const member of members) member.freeze();
    this.tell({ kind: "stopped" });
    this.collect();
    const dirty = this.dirty.take();
    await this.round(dirty, dirty.length);
    await this.ask({ case: "guestMessageEnd", value: undefined }, "guestAnswerLoaded");
    this.tell({ kind: "loaded" });
  }

  private async handOver(): Promise<void> {
    this.handedOver = true;
    await this.ask({ case: "guestMessageResume", value: undefined }, "guestAnswerResumed");
  }

  /** Behind the hand-over: nothing that fails here brings the guest back. */
  private async clear(): Promise<unknown[]> {
    this.messages.leave();
    return await attempted([
      ...this.watching.map((log) => () => log.stop()),
      ...this.options.members.map((member) => () => member.commit()),
      () => this.tell({ kind: "resumed" }),
    ]);
  }

  /** Sends pages and states, and looks at what was written meanwhile. */
  private async round(pages: Iterable<number>, count: number): Promise<RoundReport> {
    const round = this.rounds.length;
    const startedAt = this.clock();
    const bytesBefore = this.messages.bytes;
    let sent = 0;
    let zeroPages = 0;
    for (const run of pageRuns(this.options.memory, pages, this.pageSize)) {
      const { address, bytes: data } = run;
      await this.messages.send(
        run.zero
          ? { case: "zeroPages", value: { address, length: data.length } }
          : { case: "pages", value: { address, data } },
      );
      sent += run.pages;
      if (run.zero) zeroPages += run.pages;
      this.tell({ kind: "pages", round, pages: sent, of: count });
    }
    let stateBytes = 0;
    for (const [index, member] of this.options.members.entries()) {
      stateBytes += await this.state(index, this.stopped ? member.rest() : member.changes());
    }
    await this.ask({ case: "roundEnd", value: { round } }, "roundTaken", round);
    if (!this.stopped) this.collect();
    const milliseconds = this.clock() - startedAt;
    const bytes = this.messages.bytes - bytesBefore;
    const bytesPerSecond = milliseconds > 0 ? (bytes * 1000) / milliseconds : Number.POSITIVE_INFINITY;
    const left = this.dirty.size * this.pageSize + this.statesLeft();
    const report: RoundReport = {
      round,
      stopped: this.stopped,
      pages: sent,
      zeroPages,
      stateBytes,
      bytes,
      milliseconds,
      bytesPerSecond,
      dirtyPages: this.dirty.size,
      estimatedDowntime: (left * 1000) / bytesPerSecond,
    };
    this.rounds.push(report);
    this.tell({ kind: "round", report });
    return report;
  }

  /** One state of one member; none when there are no pieces. Gives its size. */
  private async state(member: number, pieces: Iterable<Uint8Array>): Promise<number> {
    let size = 0;
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += STATE_BYTES) {
        const data = piece.subarray(at, at + STATE_BYTES);
        await this.messages.send({ case: "state", value: { member, data } });
        this.tell({ kind: "state", member, bytes: data });
      }
      size += piece.length;
    }
    if (size === 0) return 0;
    await this.messages.send({ case: "stateEnd", value: { member } });
    this.tell({ kind: "state-end", member });
    return size;
  }

  private statesLeft(): number {
    if (this.stopped) return 0;
    return this.options.members.reduce((size, member) => size + member.remaining(), 0);
  }

  private collect(): void {
    for (const log of this.watching) for (const page of log.take()) this.dirty.add(page);
  }

  /** Sends a message, and waits for the answer to it. */
  private async ask(
    message: GuestMessageBody,
    answer: GuestAnswerBody["case"],
    round?: number,
  ): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.awaited = { answer, round, resolve };
    });
    await this.messages.send(message);
    await this.interruption.of(answered);
  }

  /** Answers come at any time: the other side need not wait for a question to give up. */
  private async listen(): Promise<void> {
    try {
      while (true) this.take(await this.answers.next());
    } catch (error) {
      this.interruption.interrupt(asMigrationError(error));
    }
  }

  private take({ type, body }: GuestAnswer): void {
    if (body.case === "refused") {
      throw new MigrationError("peer", `the destination has given up: ${body.value.text}`);
    }
    const { awaited } = this;
    const round = body.case === "roundTaken" ? body.value.round : undefined;
    if (awaited?.answer !== body.case || awaited.round !== round) {
      throw new MigrationError("protocol", `the destination says ${guestAnswerTypeName(type)} out of place`);
    }
    this.awaited = undefined;
    awaited.resolve();
  }

  private async fail(error: MigrationError): Promise<MigrationError> {
    // A destination that refuses says that nothing of the guest has run there.
    if (this.handedOver && error.code !== "peer") {
      this.messages.leave();
      return new MigrationError("undecided", `the guest was handed over, and then: ${error.message}`, {
        cause: error,
      });
    }
    const leftovers = await this.undo();
    // The other side knows that it is over when it was the one to say so.
    this.messages.leave(
      error.code === "peer" ? undefined : { case: "abort", value: { text: reasonText(error) } },
    );
    const told = error.with(leftovers);
    this.tell({ kind: "aborted", error: told });
    return told;
  }

  /** Takes everything back, the processors last: they find their devices at work. Gives what could not be. */
  private async undo(): Promise<unknown[]> {
    return await attempted([
      ...this.begun.map((member) => () => member.abort()),
      ...this.watching.map((log) => () => log.stop()),
      ...(this.stopped ? [() => this.options.processors.resume()] : []),
    ]);
  }

  private tell(event: MigrationEvent): void {
    this.options.onEvent?.(event);
  }
}
