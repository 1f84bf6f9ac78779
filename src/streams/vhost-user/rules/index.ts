/** All rules of a vhost-user conversation. */
import { descriptorRules } from "./descriptors.js";
import { featureRules } from "./features.js";
import { headerRules } from "./header.js";
import { memoryRules } from "./memory.js";
import { migrationRules } from "./migration.js";
import { payloadRules } from "./payload.js";
import { replyRules } from "./replies.js";
import { ringRules } from "./rings.js";
import type { Rule } from "./rule.js";

export const conversationRules: readonly Rule[] = [
  ...headerRules,
  ...payloadRules,
  ...descriptorRules,
  ...replyRules,
  ...featureRules,
  ...ringRules,
  ...memoryRules,
  ...migrationRules,
];
