/** Inspects vhost-user conversations: every message with its fields, what has been agreed on, and which rules are broken. */
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import type { Fault } from "../../runtime/index.js";
import {
  type ConversationEvent,
  ConversationParser,
  type Finding,
  judgeEvent,
  Numbering,
  openRecording,
  type Piece,
  type Recording,
  recordingForm,
  type StateContents,
  type VhostUserMessage,
} from "../../streams/index.js";
import { placed } from "../fault-place.js";
import { verdictOf } from "../fault-text.js";
import type { CaptureInspection, InspectOptions } from "../inspection.js";
import { CAPTURE_TITLES, DETECTION_SIZE } from "../kinds.js";
import { elementPath } from "../path.js";
import { type Fact, FaultList, type Scalar, type Sink, type Summary } from "../report.js";
import { fieldsOf, NOTHING_KNOWN, nameOf, stateFields } from "./fields.js";
import { agreed, brokenTable, requestsTable, sessionsTable, type Talk } from "./summary.js";

/** Broken rules repeat themselves; all are counted. */
const MAX_FINDINGS = 1000;
const MAX_NOTES = 20;
/** Each holds a message of either side and the requests that wait. */
const MAX_SESSIONS = 4096;

export class ConversationInspection implements CaptureInspection {
  /** The first `MAX_FINDINGS`. */
  readonly findings: Finding[] = [];
  findingCount = 0;
  /** Places where the recording, or one direction of it, cannot be read. A payload of the wrong size is a broken rule. */
  damageCount = 0;
  private readonly sink: Sink;
  private readonly device: VirtioDeviceId;
  private readonly faults = new FaultList();
  private readonly notes: string[] = [];
  private readonly talks = new Map<string | undefined, Talk>();
  private readonly numbering = new Numbering();
  private readonly counts = new Map<string, number>();
  private prefix: Uint8Array = new Uint8Array(0);
  private recording: Recording | undefined;
  private size = 0;
  messages = 0;
  private descriptors: number | undefined = 0;

  /** Of the options, the device is what counts here: fields are read in any case. */
  constructor(sink: Sink, { device = VirtioDeviceId.VIRTIO_ID_INVALID }: Partial<InspectOptions> = {}) {
    this.sink = sink;
    this.device = device;
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    if (this.recording !== undefined) {
      this.recording.push(chunk);
      return;
    }
    const all = new Uint8Array(this.prefix.length + chunk.length);
    all.set(this.prefix);
    all.set(chunk, this.prefix.length);
    this.prefix = all;
    if (all.length >= DETECTION_SIZE) this.start().push(all);
  }

  end(): Summary {
    if (this.recording === undefined) this.start().push(this.prefix);
    this.recording?.end();
    for (const talk of this.talks.values()) {
      talk.parser.end();
      if (talk.parser.session.whole === false)
        this.note(`${of(talk)}joined late: what was agreed on before is not known`);
    }
    const { faults, findingCount, messages } = this;
    if (this.size === 0) this.notes.push("the input is empty");
    const clean =
      findingCount === 0
        ? "clean: every message is read, and no rule is broken"
        : `every message is read; ${plural(findingCount, "broken rule")} (virtwire check explains)`;
    return {
      kind: "vhost-user",
      title: CAPTURE_TITLES["vhost-user"],
      size: this.size,
      facts: [{ key: "message_count", label: "messages", value: messages }, ...this.facts()],
      tables: [
        ...(this.talks.size > 1 ? [sessionsTable([...this.talks.values()], this.device)] : []),
        ...(messages === 0 ? [] : [requestsTable(this.counts)]),
        ...(findingCount === 0 ? [] : [brokenTable(this.findings)]),
      ],
      notes: this.notes,
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(faults, clean),
    };
  }

  private start(): Recording {
    const recording = openRecording(recordingForm(this.prefix) ?? "raw", {
      piece: (piece) => this.talkOf(piece)?.parser.push(piece),
      fault: (fault) => this.damage(fault),
      note: (text) => this.note(text),
    });
    this.recording = recording;
    return recording;
  }

  private damage(fault: Fault): void {
    this.damageCount++;
    this.faults.add(fault);
  }

  private note(text: string): void {
    if (this.notes.length < MAX_NOTES) this.notes.push(text);
  }

  private talkOf({ session: name }: Piece): Talk | undefined {
    const known = this.talks.get(name);
    if (known !== undefined) return known;
    if (this.talks.size === MAX_SESSIONS) {
      this.note(`more than ${MAX_SESSIONS} sessions: the others are not shown`);
      return undefined;
    }
    const talk: Talk = {
      name,
      parser: new ConversationParser((event) => this.take(event, talk), { numbering: this.numbering }),
      messages: 0,
      findings: 0,
    };
    this.talks.set(name, talk);
    return talk;
  }

  private take(event: ConversationEvent, talk: Talk): void {
    const found = judgeEvent(event, talk.parser.session);
    this.findingCount += found.length;
    talk.findings += found.length;
    this.findings.push(...found.slice(0, Math.max(0, MAX_FINDINGS - this.findings.length)));
    switch (event.kind) {
      case "message":
        this.message(event.message, found, talk);
        break;
      case "state":
        this.state(event.contents, talk);
        break;
      case "unanswered":
        this.unanswered(event.message, found, talk);
        break;
      case "waiting":
        this.note(`message ${event.message.index}, ${nameOf(event.message)}, has no reply yet at the end`);
        break;
      case "damage": {
        const path = elementPath("gaps", this.damageCount);
        const fault = placed(event.fault, "", { path });
        this.damage(fault);
        this.sink.record({
          record: "gap",
          name: "unreadable",
          path,
          at: event.at,
          size: 0,
          attributes: { session: talk.name, from: event.from },
          fields: undefined,
          faults: [fault],
        });
        break;
      }
    }
  }

  private message(message: VhostUserMessage, found: readonly Finding[], talk: Talk): void {
    this.messages++;
    talk.messages++;
    const name = nameOf(message);
    if (!message.isReply) this.count(message.row?.name ?? "unknown requests");
    if (message.fds === undefined) this.descriptors = undefined;
    else if (this.descriptors !== undefined) this.descriptors += message.fds;
    const path = elementPath("messages", message.index);
    const fields = fieldsOf(message, this.device);
    const faults = message.fault === undefined ? [] : [placed(message.fault, "", { path, fields })];
    for (const fault of faults) this.faults.add(fault);
    this.sink.record({
      record: "message",
      name,
      path,
      at: message.at,
      size: message.bytes.length,
      attributes: {
        index: message.index,
        t: message.time,
        session: talk.name,
        from: message.from,
        channel: message.channel,
        reply: message.isReply,
        need_reply: message.header.needReply !== 0,
        fds: message.fds,
        answers: message.answers?.index,
        ...rulesOf(found),
      },
      fields,
      faults,
    });
  }

  /** The back-end's state is no message: its offsets are its own, from its first byte on. */
  private state(contents: StateContents, talk: Talk): void {
    const { index, from, time, size, bytes } = contents;
    const { type, fields } = bytes === undefined ? NOTHING_KNOWN : stateFields(bytes, this.device);
    this.sink.record({
      record: "state",
      name: "device state",
      path: elementPath("states", index),
      at: 0,
      size,
      attributes: { index, t: time, session: talk.name, from, format: type },
      fields,
      faults: [],
    });
  }

  /** Numbers that stand for no request have no rows of their own: there may be any number of them. */
  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  private unanswered(message: VhostUserMessage, found: readonly Finding[], talk: Talk): void {
    this.sink.record({
      record: "unanswered",
      name: nameOf(message),
      path: elementPath("unanswered", message.index),
      at: message.at,
      size: 0,
      attributes: {
        index: message.index,
        session: talk.name,
        from: message.from,
        channel: message.channel,
        ...rulesOf(found),
      },
      fields: undefined,
      faults: [],
    });
  }

  private facts(): Fact[] {
    const facts: Fact[] = [];
    const { size } = this.talks;
    if (size > 1) facts.push({ key: "session_count", label: "sessions", value: size });
    if (this.descriptors !== undefined) {
      facts.push({ key: "descriptor_count", label: "descriptors", value: this.descriptors });
    }
    const [talk] = this.talks.values();
    // What several sessions have agreed on stands in their table.
    if (size === 1 && talk !== undefined) facts.push(...agreed(talk.parser.session, this.device));
    facts.push({ key: "broken_rule_count", label: "broken rules", value: this.findingCount });
    return facts;
  }
}

function of({ name }: Talk): string {
  return name === undefined ? "" : `${name}: `;
}

function rulesOf(found: readonly Finding[]): Readonly<Record<string, readonly Scalar[]>> {
  return found.length === 0
    ? {}
    : { rules: found.map(({ rule }) => rule.id), broken: found.map(({ detail }) => detail) };
}

function plural(count: number, name: string): string {
  return count === 1 ? `1 ${name}` : `${count} ${name}s`;
}
