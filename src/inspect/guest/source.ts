/** Inspects what the source of a guest's migration sends: memory in rounds, the states of its devices, how it ended. */
import {
  type GuestMessage,
  guestMemberFormatName,
  guestMessageTypeName,
} from "../../../generated/migration/guest-stream.js";
import { VirtioDeviceId, virtioDeviceIdName } from "../../../generated/virtio/ids.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import { GUEST_MESSAGES, type GuestMessageEvent, GuestMessageParser } from "../../streams/guest/messages.js";
import { verdictOf } from "../fault-text.js";
import type { CaptureInspection, InspectOptions } from "../inspection.js";
import { CAPTURE_TITLES } from "../kinds.js";
import { type Node, TreeBuilder } from "../node.js";
import { elementPath } from "../path.js";
import { type CaptureRecord, type Fact, FaultList, hex, type Sink, type Summary } from "../report.js";
import { GuestOrder } from "./order.js";
import { MemoryRuns } from "./rounds.js";
import { StateInspection } from "./state.js";

const SCHEMA = GUEST_MESSAGES.schema;

type Message = Extract<GuestMessageEvent<GuestMessage>, { readonly kind: "message" }>;

export class GuestStreamInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly parser: GuestMessageParser<GuestMessage>;
  private readonly faults = new FaultList();
  private readonly order = new GuestOrder();
  private readonly memory: MemoryRuns;
  private readonly states = new Map<number, StateInspection>();
  private pending: Fault[] = [];
  private gaps = 0;
  private messages = 0;
  private size = 0;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    this.memory = new MemoryRuns(sink);
    this.parser = new GuestMessageParser(GUEST_MESSAGES, (event) => this.take(event));
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    this.memory.flush();
    for (const [member] of this.states) this.closeState(member, this.size);
    const { outcome } = this.order;
    if (this.faults.count === 0 && outcome !== "handed over" && outcome !== "given up") {
      const detail = "the stream ends before the guest is handed over, and nobody has given up";
      this.faults.add(streamFault(SCHEMA, "truncated", "messages", this.size, detail));
    }
    return {
      kind: "guest-stream",
      title: CAPTURE_TITLES["guest-stream"],
      size: this.size,
      facts: this.facts(),
      tables: [this.memory.table(), this.memberTable()].filter(({ rows }) => rows.length > 0),
      notes: [],
      faults: this.faults.faults,
      faultCount: this.faults.count,
      verdict: verdictOf(
        this.faults,
        outcome === "given up"
          ? "complete: every byte is accounted for, and the source has given up"
          : "clean: every byte is accounted for, and the guest has been handed over",
      ),
    };
  }

  private take(event: GuestMessageEvent<GuestMessage>): void {
    if (event.kind === "fault") {
      this.pending.push(event.fault);
      return;
    }
    if (event.kind === "message") {
      this.messages++;
      this.message(event);
      return;
    }
    this.memory.flush();
    this.emit({
      record: "gap",
      name: "unreadable",
      path: elementPath("gaps", this.gaps++),
      at: event.at,
      size: event.size,
      attributes: {},
      fields: undefined,
    });
  }

  private message(event: Message): void {
    const { index, at, bytes, message } = event;
    const wrong = message && this.order.take(message);
    if (wrong !== undefined)
      this.pending.push(streamFault(SCHEMA, "constraint", `messages[${index}]`, at, wrong));
    const body = message?.body;
    if (body !== undefined && this.pending.length === 0) {
      if (body.case === "pages" || body.case === "zeroPages") {
        const length = body.case === "pages" ? body.value.data.length : body.value.length;
        this.memory.add(this.order, at, bytes.length, body.value.address, length, body.case === "zeroPages");
        return;
      }
      if (body.case === "state") {
        // Its bytes are the last ones of the message.
        this.state(body.value.member, body.value.data, at, at + bytes.length - body.value.data.length);
        return;
      }
    }
    this.memory.flush();
    if (body?.case === "roundEnd") this.memory.roundEnd(this.order.rounds - 1);
    if (body?.case === "stateEnd") this.closeState(body.value.member, at);
    const tree = this.treeOf(bytes, at);
    this.emit({
      record: "message",
      name:
        tree[0]?.meaning ?? (message === undefined ? "damaged" : (guestMessageTypeName(message.type) ?? "")),
      path: elementPath("messages", index),
      at,
      size: bytes.length,
      attributes: { index },
      fields: this.withFields ? tree : undefined,
    });
  }

  private treeOf(bytes: Uint8Array, at: number): readonly Node[] {
    const tree = new TreeBuilder(at);
    GUEST_MESSAGES.walk(new Reader(bytes, { base: at }), tree);
    return tree.roots;
  }

  private state(index: number, data: Uint8Array, at: number, dataAt: number): void {
    this.memory.flush();
    let state = this.states.get(index);
    if (state === undefined) {
      const member = this.order.begin?.members[index];
      const count = this.order.members[index]?.whole ?? 0;
      const path = [...elementPath("members", index), ...elementPath("states", count)];
      const { format = 0, device = VirtioDeviceId.VIRTIO_ID_INVALID } = member ?? {};
      state = new StateInspection(this.sink, at, { withFields: this.withFields, format, device, path });
      this.states.set(index, state);
    }
    this.memory.addState(data.length);
    if (state.push(data, dataAt)) return;
    const detail = `the state of member ${index} has more than ${state.pieces} pieces`;
    this.faults.add(streamFault(SCHEMA, "limit", "messages", at, detail));
  }

  private closeState(index: number, end: number): void {
    const state = this.states.get(index);
    if (state === undefined) return;
    this.states.delete(index);
    const { faults, count } = state.end();
    const all = [...faults];
    const member = this.order.begin?.members[index];
    if (!state.isKnown) {
      const detail = `no format of states has the number ${member?.format}`;
      all.push(streamFault(SCHEMA, "enum", "members", state.at, detail));
    }
    for (const fault of all) this.faults.add(fault);
    this.faults.count += Math.max(0, count - faults.length);
    this.sink.record({
      record: "state",
      name: this.memberName(index),
      path: state.path,
      at: state.at,
      size: end - state.at,
      attributes: {
        member: index,
        format: member && guestMemberFormatName(member.format),
        bytes: state.size,
        pieces: state.pieces,
      },
      fields: undefined,
      faults: all,
    });
  }

  private emit(record: Omit<CaptureRecord, "faults">): void {
    const faults = this.pending;
    this.pending = [];
    for (const fault of faults) this.faults.add(fault);
    this.sink.record({ ...record, faults });
  }

  private facts(): Fact[] {
    const { begin, rounds, outcome, reason } = this.order;
    const facts: Fact[] = [{ key: "message_count", label: "messages", value: this.messages }];
    if (begin !== undefined) {
      const memory = begin.regions.reduce((sum, { size }) => sum + size, 0);
      const where = begin.regions.map(({ address, size }) => `${hex(address)}..${hex(address + size)}`);
      facts.push(
        { key: "memory", label: "memory", value: memory, text: `${memory} bytes: ${where.join(", ")}` },
        { key: "page_size", label: "page size", value: begin.pageSize },
      );
    }
    facts.push({ key: "round_count", label: "rounds", value: rounds });
    const text = reason === undefined || reason === "" ? outcome : `${outcome}: ${reason}`;
    facts.push({ key: "outcome", label: "outcome", value: outcome, text });
    if (reason !== undefined) facts.push({ key: "reason", label: "reason", value: reason });
    return facts;
  }

  private memberTable(): Summary["tables"][number] {
    const { begin, members } = this.order;
    return {
      key: "members",
      title: "members",
      columns: [
        { key: "member", label: "member", right: true },
        { key: "device", label: "device" },
        { key: "format", label: "format" },
        { key: "states", label: "states", right: true },
        { key: "bytes", label: "last, in bytes", right: true },
      ],
      rows: members.map(({ whole, last }, index) => [
        { value: index },
        { value: this.memberName(index) },
        { value: guestMemberFormatName(begin?.members[index]?.format ?? 0) ?? "unknown" },
        { value: whole },
        { value: last },
      ]),
      weights: members.map((_, index) => -index),
      briefs: members.map((_, index) => `member ${index}`),
    };
  }

  private memberName(index: number): string {
    const device = this.order.begin?.members[index]?.device ?? VirtioDeviceId.VIRTIO_ID_INVALID;
    return virtioDeviceIdName(device) ?? `device ${device}`;
  }
}
