/** Rules about the header of a message. */
import type { Rule } from "./rule.js";

export const headerRules: readonly Rule[] = [
  {
    id: "version",
    says: "The version in the flags is 1.",
    section: "Header",
    judge: ({ header }) => (header.version === 1 ? undefined : `version ${header.version}`),
  },
  {
    id: "reply-flag",
    says: "Replies have the reply flag, and nothing else has.",
    section: "Header",
    judge: ({ header, isReply }) => {
      if (isReply === (header.reply !== 0)) return undefined;
      return isReply ? "a reply without the reply flag" : "a request with the reply flag";
    },
  },
  {
    id: "unknown-request",
    says: "The request is one that the document lists.",
    section: "Front-end message types; Back-end message types",
    judge: ({ row, header }) => (row === undefined ? `no request is number ${header.request}` : undefined),
  },
];
