/** What a rule is: one sentence of the vhost-user document that can be judged from outside. */
import type { VhostUserMessage } from "../message.js";
import type { Session } from "../session.js";

export interface Rule {
  /** Stable. */
  readonly id: string;
  /** What it asks for, in our words. */
  readonly says: string;
  /** The section of the document, docs/interop/vhost-user.rst of QEMU, that says so. */
  readonly section: string;
  /** Requests that should have had their reply by now are judged apart from messages. */
  readonly on?: "unanswered";
  /** How the message breaks the rule, given what was before it; undefined when it does not. */
  readonly judge: (message: VhostUserMessage, session: Session) => string | undefined;
}
