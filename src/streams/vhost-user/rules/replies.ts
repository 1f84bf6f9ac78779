/** Rules about which requests are answered. */
import type { Rule } from "./rule.js";

const SECTION = "Communication; VHOST_USER_PROTOCOL_F_REPLY_ACK";

export const replyRules: readonly Rule[] = [
  {
    id: "reply-missing",
    says: "A request that has a reply, or asks for one with need_reply, is answered, in the order of the requests.",
    section: SECTION,
    on: "unanswered",
    judge: ({ expects }) =>
      expects === "asked" ? "need_reply is set, and no reply has come" : "no reply has come",
  },
  {
    id: "reply-unasked",
    says: "No other request is answered.",
    section: SECTION,
    judge: ({ isReply, answers, row }, session) => {
      if (!isReply || row === undefined) return undefined;
      if (answers === undefined) {
        return session.whole === true ? "no request waits for it" : undefined;
      }
      return answers.expects === "never" ? `request ${answers.index} asks for no reply` : undefined;
    },
  },
  {
    id: "need-reply-without-feature",
    says: "need_reply is set only with VHOST_USER_PROTOCOL_F_REPLY_ACK.",
    section: "VHOST_USER_PROTOCOL_F_REPLY_ACK",
    judge: ({ isReply, header, row }, session) =>
      // Where a reply comes anyway the flag changes nothing.
      !isReply &&
      header.needReply !== 0 &&
      row?.replies === false &&
      session.has("VHOST_USER_PROTOCOL_F_REPLY_ACK") === false
        ? "the feature is not negotiated"
        : undefined,
  },
];
