/** Inspects what the destination of a guest's migration answers: what it has taken, and how it ended. */
import { type GuestAnswer, guestAnswerTypeName } from "../../../generated/migration/guest-stream.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import { GUEST_ANSWERS, type GuestMessageEvent, GuestMessageParser } from "../../streams/guest/messages.js";
import { verdictOf } from "../fault-text.js";
import type { CaptureInspection, InspectOptions } from "../inspection.js";
import { CAPTURE_TITLES } from "../kinds.js";
import { TreeBuilder } from "../node.js";
import { elementPath } from "../path.js";
import { FaultList, type Sink, type Summary } from "../report.js";

const SCHEMA = GUEST_ANSWERS.schema;

/** What comes next: rounds are taken between the acceptance and the loading. */
type Phase = "new" | "accepted" | "loaded" | "resumed" | "refused";

export class GuestAnswersInspection implements CaptureInspection {
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly parser: GuestMessageParser<GuestAnswer>;
  private readonly faults = new FaultList();
  private pending: Fault[] = [];
  private phase: Phase = "new";
  private reason: string | undefined;
  private rounds = 0;
  private answers = 0;
  private size = 0;

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    this.parser = new GuestMessageParser(GUEST_ANSWERS, (event) => this.take(event));
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    const { phase, reason, faults } = this;
    if (faults.count === 0 && phase !== "resumed" && phase !== "refused") {
      const detail = "the answers end before the guest runs, and nobody has refused";
      faults.add(streamFault(SCHEMA, "truncated", "answers", this.size, detail));
    }
    const outcome = phase === "resumed" ? "the guest runs" : phase === "refused" ? "refused" : "unknown";
    return {
      kind: "guest-answers",
      title: CAPTURE_TITLES["guest-answers"],
      size: this.size,
      facts: [
        { key: "answer_count", label: "answers", value: this.answers },
        { key: "round_count", label: "rounds taken", value: this.rounds },
        {
          key: "outcome",
          label: "outcome",
          value: outcome,
          text: reason ? `${outcome}: ${reason}` : outcome,
        },
      ],
      tables: [],
      notes: [],
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(
        faults,
        phase === "refused"
          ? "complete: every byte is accounted for, and the destination has refused"
          : "clean: every byte is accounted for, and the guest runs",
      ),
    };
  }

  private take(event: GuestMessageEvent<GuestAnswer>): void {
    if (event.kind === "fault") {
      this.pending.push(event.fault);
      return;
    }
    const { at } = event;
    if (event.kind === "gap") {
      this.emit("gap", "unreadable", elementPath("gaps", 0), at, event.size, undefined);
      return;
    }
    const { index, bytes, message } = event;
    this.answers++;
    const wrong = message && this.answer(message);
    if (wrong !== undefined)
      this.pending.push(streamFault(SCHEMA, "constraint", `answers[${index}]`, at, wrong));
    const tree = new TreeBuilder(at);
    GUEST_ANSWERS.walk(new Reader(bytes, { base: at }), tree);
    const name = tree.roots[0]?.meaning ?? "damaged";
    this.emit("message", name, elementPath("answers", index), at, bytes.length, tree.roots);
  }

  /** What is wrong with the answer where it stands. */
  private answer({ type, reserved, body }: GuestAnswer): string | undefined {
    if (reserved?.some((byte) => byte !== 0)) return "reserved bytes that are not zero";
    const { phase } = this;
    const name = guestAnswerTypeName(type) ?? `answer ${type}`;
    if (phase === "resumed" || phase === "refused") return `${name} behind the end of the migration`;
    switch (body.case) {
      case "refused":
        this.phase = "refused";
        this.reason = body.value.text;
        return undefined;
      case "guestAnswerAccepted":
        this.phase = "accepted";
        return phase === "new" ? undefined : `${name} for a second time`;
      case "roundTaken": {
        const expected = this.rounds;
        this.rounds = body.value.round + 1;
        if (phase !== "accepted") return `${name} out of place`;
        return body.value.round === expected ? undefined : `round ${body.value.round}, not ${expected}`;
      }
      case "guestAnswerLoaded":
        this.phase = "loaded";
        return phase === "accepted" ? undefined : `${name} out of place`;
      case "guestAnswerResumed":
        this.phase = "resumed";
        return phase === "loaded" ? undefined : `${name} out of place`;
    }
  }

  private emit(
    record: string,
    name: string,
    path: ReturnType<typeof elementPath>,
    at: number,
    size: number,
    fields: TreeBuilder["roots"] | undefined,
  ): void {
    const faults = this.pending;
    this.pending = [];
    for (const fault of faults) this.faults.add(fault);
    this.sink.record({
      record,
      name,
      path,
      at,
      size,
      attributes: {},
      fields: this.withFields ? fields : undefined,
      faults,
    });
  }
}
