/**
 * What a source may say when: messages that are sound one by one make no migration when one is lost, doubled or out of
 * place. The rules are those of the schema's head, which the destination goes by as well.
 */
import {
  type GuestBegin,
  type GuestMessage,
  guestMessageTypeName,
} from "../../../generated/migration/guest-stream.js";

/** Members whose states are read: each takes memory of its own, and no group has so many. */
const MAX_MEMBERS = 1024;

export interface Arriving {
  /** Bytes of the state that is not whole yet. */
  size: number;
  /** States that have come whole. */
  whole: number;
  /** Bytes of the last one that did. */
  last: number;
}

export class GuestOrder {
  begin: GuestBegin | undefined;
  members: readonly Arriving[] = [];
  /** Rounds that are over. */
  rounds = 0;
  /** Something has come since the last round was over. */
  private isOpen = false;
  outcome: "unknown" | "loaded" | "handed over" | "given up" = "unknown";
  /** What the source says for a reason when it gives up. */
  reason: string | undefined;

  /** What is wrong with the message where it stands. */
  take({ type, reserved, body }: GuestMessage): string | undefined {
    // Nobody sets them yet: what is there was not put there by a source.
    if (reserved?.some((byte) => byte !== 0)) return "reserved bytes that are not zero";
    const { begin, outcome } = this;
    const name = guestMessageTypeName(type) ?? `message ${type}`;
    if (outcome === "handed over" || outcome === "given up") return `${name} behind the end of the migration`;
    if (body.case === "abort") {
      this.outcome = "given up";
      this.reason = body.value.text;
      return undefined;
    }
    if (body.case === "begin") return this.start(body.value);
    if (begin === undefined) return `${name} in front of GUEST_MESSAGE_BEGIN`;
    if ((outcome === "loaded") !== (body.case === "guestMessageResume")) {
      return outcome === "loaded"
        ? `${name} behind GUEST_MESSAGE_END`
        : `${name} in front of GUEST_MESSAGE_END`;
    }
    const wasOpen = this.isOpen;
    this.isOpen = body.case !== "roundEnd";
    switch (body.case) {
      case "pages":
        return this.pages(begin, body.value.address, body.value.data.length);
      case "zeroPages":
        return this.pages(begin, body.value.address, body.value.length);
      case "state":
        return this.state(body.value.member, body.value.data.length);
      case "stateEnd":
        return this.stateEnd(body.value.member);
      case "roundEnd": {
        const expected = this.rounds;
        this.rounds = body.value.round + 1;
        return body.value.round === expected ? undefined : `round ${body.value.round}, not ${expected}`;
      }
      case "guestMessageEnd": {
        this.outcome = "loaded";
        const lacking = this.members.findIndex(({ size, whole }) => size > 0 || whole === 0);
        if (lacking >= 0) return `the state of member ${lacking} is not whole`;
        return wasOpen ? `${name} inside of round ${this.rounds}` : undefined;
      }
      case "guestMessageResume":
        this.outcome = "handed over";
        return undefined;
    }
  }

  private start(begin: GuestBegin): string | undefined {
    if (this.begin !== undefined) return "GUEST_MESSAGE_BEGIN for a second time";
    this.begin = begin;
    const count = begin.members.length;
    this.members = begin.members.slice(0, MAX_MEMBERS).map(() => ({ size: 0, whole: 0, last: 0 }));
    if (!Number.isInteger(Math.log2(begin.pageSize))) return `pages of ${begin.pageSize} bytes`;
    let end = 0;
    for (const { address, size } of begin.regions) {
      if (address % begin.pageSize !== 0 || size % begin.pageSize !== 0)
        return `the region at 0x${address.toString(16)} is not made of whole pages`;
      if (address < end) return `the region at 0x${address.toString(16)} overlaps the one in front of it`;
      end = address + size;
    }
    return count > MAX_MEMBERS
      ? `${count} members: the states of more than ${MAX_MEMBERS} are not read`
      : undefined;
  }

  private pages({ pageSize, regions }: GuestBegin, address: number, length: number): string | undefined {
    const where = `${length} bytes at 0x${address.toString(16)}`;
    if (length === 0 || address % pageSize !== 0 || length % pageSize !== 0)
      return `${where} are not whole pages`;
    // A run of pages can go on from one region into the next.
    let at = address;
    for (let i = lastUpTo(regions, address); at < address + length; i++) {
      const region = regions[i];
      if (region === undefined || at < region.address || at >= region.address + region.size)
        return `${where} lie in no memory of the guest`;
      at = region.address + region.size;
    }
    return undefined;
  }

  private state(index: number, length: number): string | undefined {
    const arriving = this.members[index];
    if (arriving === undefined) return this.noMember(index);
    arriving.size += length;
    return undefined;
  }

  private stateEnd(index: number): string | undefined {
    const arriving = this.members[index];
    if (arriving === undefined) return this.noMember(index);
    const { size } = arriving;
    arriving.size = 0;
    arriving.whole++;
    arriving.last = size;
    return size === 0 ? `the state of member ${index} is empty` : undefined;
  }

  private noMember(index: number): string {
    return `there is no member ${index}, but ${this.begin?.members.length ?? 0}`;
  }
}

/** The last region that begins at the address or in front of it: a stream can have tens of thousands, and as many messages. */
function lastUpTo(regions: GuestBegin["regions"], address: number): number {
  let low = 0;
  let high = regions.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((regions[middle]?.address ?? 0) <= address) low = middle;
    else high = middle;
  }
  return low;
}
