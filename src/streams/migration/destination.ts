/**
 * The destination of a live migration, without a guest: reads what the source sends, answers where the source waits for an
 * answer, and says when it is over. It does no I/O: bytes are pushed in, messages for the return path come out.
 *
 * Memory: that of the parser, and in postcopy two bits for each page of the guest.
 */
import {
  encodeQemuRpBitmapEnd,
  encodeQemuRpBitmapHead,
  encodeQemuRpMessage,
  QemuRpMessageType,
  type QemuRpMessageTypePayloadBody,
} from "../../../generated/qemu/return-path.js";
import { QemuVmCmd, type QemuVmCommand, QemuVmSection } from "../../../generated/qemu/stream.js";
import type { Fault } from "../../runtime/index.js";
import type { CommandEvent, QemuEvent } from "../qemu/events.js";
import { qemuFault } from "../qemu/faults.js";
import { QemuStreamParser } from "../qemu/parser.js";
import { PreemptParser } from "../qemu/preempt.js";
import type { RamBlock } from "../qemu/ram/blocks.js";
import { PageRequests } from "./page-requests.js";
import { IncomingPostcopy, postcopyEvent } from "./postcopy.js";
import { DestinationStatus } from "./status.js";

/** The others would say the same again. */
const MAX_FAULTS = 20;
/** A footer and EOF: how a stream without a description ends. */
const TAIL_SIZE = 6;
/** MIGRATION_RESUME_ACK_VALUE of migration/migration.h: the source takes any other for an error. */
const RESUMED = 1;

export interface DestinationOptions {
  /** Takes a message for the source, one at a time. */
  readonly reply: (message: Uint8Array) => void;
  /**
   * The source has the capability switchover-ack: it does not stop its guest before it is told that it may. Versions
   * before 8.1 take that message for an error, so it is only sent when this is set.
   */
  readonly switchoverAck?: boolean;
}

/** Reads the pages of one channel. */
interface PageReading {
  /** The contents of the last page have not all come yet. */
  readonly isInsidePage: boolean;
}

export class MigrationDestination {
  readonly postcopy = new IncomingPostcopy();
  readonly status = new DestinationStatus();
  /** What is wrong with the stream: the first few, in its order. */
  readonly faults: Fault[] = [];
  /** The source reads the return path. */
  hasReturnPath = false;
  private readonly options: DestinationOptions;
  private readonly parser: QemuStreamParser;
  private requests: PageRequests | undefined;
  private readonly preempt = new Map<number, PreemptParser>();
  /** The page that came last, on each channel. */
  private readonly newest = new Map<PageReading, { readonly block: string; readonly offset: number }>();
  private readonly tail = new Uint8Array(TAIL_SIZE);
  private bytes = 0;
  private recordEnd = 0;
  private packages = 0;
  private described = false;
  private finished = false;

  constructor(options: DestinationOptions) {
    this.options = options;
    const page = (block: RamBlock, offset: number): void => {
      this.requests?.add(block);
      this.page(this.parser.ram, block.name, offset);
    };
    const pages = { page, zero: page, changes: page };
    this.parser = new QemuStreamParser((event) => this.hear(event), { pages });
    this.status.take("listen");
  }

  /** Bytes of the main channel. */
  push(chunk: Uint8Array): void {
    if (this.bytes === 0) this.status.take("connected");
    this.bytes += chunk.length;
    this.parser.push(chunk);
    if (chunk.length >= TAIL_SIZE) {
      this.tail.set(chunk.subarray(chunk.length - TAIL_SIZE));
    } else {
      this.tail.copyWithin(0, chunk.length);
      this.tail.set(chunk, TAIL_SIZE - chunk.length);
    }
  }

  /**
   * Bytes of the channel of the capability postcopy-preempt, on which pages come that were asked for. `connection`: after a
   * recovery it is another one.
   */
  pushPreempt(chunk: Uint8Array, connection = 0): void {
    let channel = this.preempt.get(connection);
    if (channel === undefined) {
      channel = this.openPreempt();
      this.preempt.set(connection, channel);
    }
    channel.push(chunk);
  }

  /**
   * The main channel broke off. True when its source can connect again and go on: from when the guest runs on this side on,
   * there is nothing to go back to. Bytes of the new connection are pushed after `reconnected`.
   */
  lost(): boolean {
    const { requests, parser } = this;
    const recovers = this.postcopy.state === "RUNNING" && this.hasReturnPath && !this.over && !this.finished;
    if (requests === undefined || !recovers || !this.status.take("connection-lost")) return false;
    requests.pause();
    // Pages are heard of by their heads: those whose contents have not all come are not there.
    for (const [reading, { block, offset }] of this.newest) {
      if (reading.isInsidePage) requests.discard(block, offset, 1);
    }
    this.newest.clear();
    this.packages = 0;
    parser.resume();
    return true;
  }

  /** The source of a connection that was lost has connected again. */
  reconnected(): void {
    this.status.take("recover");
  }

  /** The stream is over, and the source only waits for `finish`. */
  get over(): boolean {
    return this.described || (this.postcopy.state === "RUNNING" && this.atEof);
  }

  /**
   * Nothing more may come. Machines that suppress the description send EOF and wait, and so does a source whose stream
   * cannot be followed any more: only silence tells.
   */
  get mayBeOver(): boolean {
    return this.over || this.atEof || this.endsLikeStream || this.faults.length > 0;
  }

  /** How much of the guest's memory is there, from 0 to 1. Undefined before postcopy, when there is no telling. */
  get share(): number | undefined {
    if (this.requests === undefined) return undefined;
    let pages = 0;
    let received = 0;
    for (const block of this.requests.blocks.values()) {
      pages += block.count;
      received += block.received;
    }
    return pages === 0 ? undefined : received / pages;
  }

  /** Page requests sent. */
  get requested(): number {
    return this.requests?.sent ?? 0;
  }

  /**
   * Ends the migration, and tells the source how it went. `lost`: something on this side went wrong, so that the source
   * must keep its guest whatever the stream says. Gives true when the stream was whole and the source was told so.
   */
  finish(lost = false): boolean {
    if (this.finished) return this.status.state === "completed";
    this.finished = true;
    this.requests?.end();
    this.parser.end();
    const { state } = this.postcopy;
    if (state === "DISCARD" || state === "LISTENING") {
      const detail = `the stream is over in the postcopy state ${state}`;
      this.fault(qemuFault("missing", "command.cmd", this.bytes, detail));
    }
    const whole = !lost && this.faults.length === 0;
    if (whole) {
      this.postcopy.take("LOADED");
      this.status.take("complete");
    } else {
      this.status.take("fail");
    }
    if (this.hasReturnPath) {
      const value = { value: whole ? 0 : 1 };
      this.reply(QemuRpMessageType.MIG_RP_MSG_SHUT, { case: "migRpMsgShut", value });
    }
    return whole;
  }

  /** Nothing but EOF stands behind the last record. */
  private get atEof(): boolean {
    return (
      this.packages === 0 &&
      this.recordEnd > 0 &&
      this.bytes === this.recordEnd + 1 &&
      this.tail[TAIL_SIZE - 1] === QemuVmSection.QEMU_VM_EOF
    );
  }

  /** The parser may want more bytes before it takes the last footer for one. */
  private get endsLikeStream(): boolean {
    return (
      this.bytes >= TAIL_SIZE &&
      this.tail[0] === QemuVmSection.QEMU_VM_SECTION_FOOTER &&
      this.tail[TAIL_SIZE - 1] === QemuVmSection.QEMU_VM_EOF
    );
  }

  private hear(event: QemuEvent): void {
    switch (event.kind) {
      case "command":
        this.command(event);
        break;
      case "package-begin":
        this.packages++;
        return;
      case "package-end":
        this.packages--;
        break;
      case "section":
        if (event.name === "ram" && event.phase === "end") this.requests?.end();
        break;
      case "description":
        this.described = true;
        break;
      case "fault":
        this.fault(event.fault);
        return;
    }
    this.recordEnd = Math.max(this.recordEnd, event.at + event.size);
  }

  private command({ at, command }: CommandEvent): void {
    const event = postcopyEvent(command.cmd);
    if (event !== undefined) {
      const { state } = this.postcopy;
      if (!this.postcopy.take(event)) {
        this.fault(qemuFault("unexpected", "command.cmd", at, `${event} in the postcopy state ${state}`));
        return;
      }
    }
    this.obey(command);
  }

  private obey({ data: { body }, cmd }: QemuVmCommand): void {
    switch (body.case) {
      case "migCmdOpenReturnPath":
        this.hasReturnPath = true;
        if (this.options.switchoverAck === true) {
          const { MIG_RP_MSG_SWITCHOVER_ACK } = QemuRpMessageType;
          this.reply(MIG_RP_MSG_SWITCHOVER_ACK, { case: "migRpMsgSwitchoverAck", value: undefined });
        }
        return;
      case "migCmdPing":
        if (!this.hasReturnPath) return;
        this.reply(QemuRpMessageType.MIG_RP_MSG_PONG, { case: "migRpMsgPong", value: body.value });
        return;
      case "migCmdPostcopyAdvise": {
        const { ramPagesizeSummary: summary, targetPageSize } = body.value;
        if (summary === undefined || targetPageSize === undefined || targetPageSize === 0n) return;
        // The lowest bit of the summary is the page size of the host: no block has smaller pages.
        const hostPageSize = Number(summary & -summary);
        this.requests = new PageRequests(Number(targetPageSize), hostPageSize, this.options.reply);
        return;
      }
      case "migCmdPostcopyRamDiscard":
        for (const { start, length } of body.value.ranges)
          this.requests?.discard(body.value.block.text, Number(start), Number(length));
        return;
      case "migCmdRecvBitmap":
        this.sendBitmap(body.value.block.text);
        return;
      default:
        if (cmd === QemuVmCmd.MIG_CMD_POSTCOPY_RESUME && this.status.take("resume")) {
          const { MIG_RP_MSG_RESUME_ACK } = QemuRpMessageType;
          this.reply(MIG_RP_MSG_RESUME_ACK, { case: "migRpMsgResumeAck", value: { value: RESUMED } });
          this.requests?.begin();
        }
        if (cmd === QemuVmCmd.MIG_CMD_POSTCOPY_LISTEN) this.status.take("postcopy");
        if (cmd === QemuVmCmd.MIG_CMD_POSTCOPY_RUN) this.run();
    }
  }

  private run(): void {
    if (this.requests === undefined || !this.hasReturnPath) return;
    for (const block of this.parser.ram.blocks.values()) this.requests.add(block);
    this.requests.begin();
  }

  /** Which pages of a block are there: the source sends the others again. */
  private sendBitmap(name: string): void {
    const block = this.requests?.blocks.get(name);
    if (block === undefined) {
      const detail = `the pages of ${JSON.stringify(name)} are not counted: no bitmap can be sent`;
      this.fault(qemuFault("constraint", "command.block", this.recordEnd, detail));
      return;
    }
    const bitmap = block.receivedBitmap();
    this.reply(
      QemuRpMessageType.MIG_RP_MSG_RECV_BITMAP,
      { case: "migRpMsgRecvBitmap", value: { block: { text: name } } },
      [encodeQemuRpBitmapHead({ size: bitmap.length }), bitmap, encodeQemuRpBitmapEnd({})],
    );
  }

  /** Of the blocks that the main channel has listed. */
  private openPreempt(): PreemptParser {
    const { blocks, traits } = this.parser.ram;
    const channel: PreemptParser = new PreemptParser(
      (event) => {
        if (event.kind === "page") this.page(channel, event.block, event.offset);
        else if (event.kind === "fault") this.fault(event.fault);
      },
      { pageSize: traits.pageSize, blocks },
    );
    return channel;
  }

  private page(reading: PageReading, block: string, offset: number): void {
    this.newest.set(reading, { block, offset });
    this.requests?.received(block, offset);
  }

  /** `behind`: what follows the message and is not counted in its length. */
  private reply(
    type: QemuRpMessageType,
    body: QemuRpMessageTypePayloadBody,
    behind: readonly Uint8Array[] = [],
  ): void {
    const parts = [encodeQemuRpMessage({ type, data: { body } }), ...behind];
    const message = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      message.set(part, at);
      at += part.length;
    }
    this.options.reply(message);
  }

  private fault(fault: Fault): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(fault);
  }
}
