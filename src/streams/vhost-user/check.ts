/** Holds a conversation to the rules of the document. */
import type { ConversationEvent, VhostUserMessage } from "./message.js";
import { conversationRules } from "./rules/index.js";
import type { Rule } from "./rules/rule.js";
import type { Session } from "./session.js";

export interface Finding {
  readonly rule: Rule;
  readonly message: VhostUserMessage;
  readonly detail: string;
}

/** The rules that an event breaks. `session`: as it was before. */
export function judgeEvent(event: ConversationEvent, session: Session): Finding[] {
  if (event.kind !== "message" && event.kind !== "unanswered") return [];
  const { message } = event;
  const on = event.kind === "unanswered" ? "unanswered" : undefined;
  const findings: Finding[] = [];
  for (const rule of conversationRules) {
    if (rule.on !== on) continue;
    const detail = rule.judge(message, session);
    if (detail !== undefined) findings.push({ rule, message, detail });
  }
  return findings;
}
