/**
 * Asks the source of a postcopy migration for the pages that are missing, a few at a time, as the faults of a running
 * guest would. The source sends all others in any case: requests only decide what comes first. It goes through its memory
 * from the start, so they begin at the end: a request for what is on its way already would change nothing.
 */
import { encodeQemuRpMessage, QemuRpMessageType } from "../../../generated/qemu/return-path.js";
import { BlockPages } from "./pages.js";

/** So many pages may be asked for and not be there. A guest has about one for each of its processors. */
const AHEAD = 8;
/** Guests of more pages are received without asking: two bits for each would be too much memory to take on a peer's word. */
const MAX_PAGES = 2 ** 31;
/** `qemu_rp_req_pages.len` has 32 bits. */
const MAX_LENGTH = 0xffff_ffff;

export interface RequestedBlock {
  readonly name: string;
  /** In bytes. */
  readonly usedLength: number;
  /** Of the memory behind it, where that is larger than a page of the host. */
  readonly pageSize: number | undefined;
}

export class PageRequests {
  readonly blocks = new Map<string, BlockPages>();
  /** Messages sent. */
  sent = 0;
  private readonly reply: (message: Uint8Array) => void;
  /** Of a page of the target, in bytes: what the source sends in one record. */
  private readonly pageSize: number;
  /** Requests are for whole pages of the host. */
  private readonly hostPageSize: number;
  private readonly units = new Map<string, number>();
  private tracked = 0;
  private asking = false;
  private lastBlock: string | undefined;

  constructor(pageSize: number, hostPageSize: number, reply: (message: Uint8Array) => void) {
    this.pageSize = pageSize;
    this.hostPageSize = hostPageSize;
    this.reply = reply;
  }

  /** A block that the source has listed. */
  add({ name, usedLength, pageSize }: RequestedBlock): void {
    const pages = Math.ceil(usedLength / this.pageSize);
    if (this.blocks.has(name) || this.tracked + pages > MAX_PAGES) return;
    const unit = Math.max(this.pageSize, this.hostPageSize, pageSize ?? 0);
    if (unit > MAX_LENGTH || unit % this.pageSize !== 0) return;
    this.tracked += pages;
    this.units.set(name, unit / this.pageSize);
    this.blocks.set(name, new BlockPages(name, usedLength, this.pageSize));
  }

  /** A page has come, asked for or not. `offset`: from the start of the block, in bytes. */
  received(block: string, offset: number): void {
    const before = this.blocks.get(block)?.receive(Math.floor(offset / this.pageSize));
    if (before === "requested") this.ask();
  }

  discard(block: string, start: number, length: number): void {
    this.blocks.get(block)?.discard(start, length);
  }

  /** The guest would run from here on. */
  begin(): void {
    this.asking = true;
    this.ask();
  }

  /** Every page has come: the source does not listen any more. */
  end(): void {
    this.asking = false;
  }

  /** The connection is gone, and with it what has been asked for. */
  pause(): void {
    this.asking = false;
    this.lastBlock = undefined;
    for (const block of this.blocks.values()) block.forgetRequests();
  }

  private ask(): void {
    if (!this.asking) return;
    let outstanding = 0;
    for (const { requested } of this.blocks.values()) outstanding += requested;
    for (const block of [...this.blocks.values()].reverse()) {
      while (outstanding < AHEAD) {
        const page = block.lastMissing();
        if (page === undefined) break;
        outstanding += this.request(block, page);
      }
    }
  }

  /** Asks for all of the host's page that this one is in. Says how many that makes. */
  private request(block: BlockPages, page: number): number {
    const unit = this.units.get(block.name) ?? 1;
    const first = page - (page % unit);
    const end = Math.min(first + unit, block.count);
    let pages = 0;
    for (let one = first; one < end; one++) if (block.request(one)) pages++;
    const start = first * this.pageSize;
    const len = unit * this.pageSize;
    const isNew = block.name !== this.lastBlock;
    this.lastBlock = block.name;
    this.sent++;
    this.reply(
      isNew
        ? encodeQemuRpMessage({
            type: QemuRpMessageType.MIG_RP_MSG_REQ_PAGES_ID,
            data: {
              body: { case: "migRpMsgReqPagesId", value: { start, len, block: { text: block.name } } },
            },
          })
        : encodeQemuRpMessage({
            type: QemuRpMessageType.MIG_RP_MSG_REQ_PAGES,
            data: { body: { case: "migRpMsgReqPages", value: { start, len } } },
          }),
    );
    return pages;
  }
}
