/**
 * What a comment of a packet says about the piece of a conversation that it is the comment of: `fds=1 channel=backend
 * from=be`, words in any order among any others. See docs/pcapng.md.
 */
import type { PieceChannel, Side } from "./message.js";

export interface PieceComment {
  readonly fds?: number;
  readonly channel?: PieceChannel;
  readonly from?: Side;
}

/** Words that begin like one of these and end otherwise are passed over: a comment may hold anything. */
const WORD = /(?:^|[\s,;])(?:fds=(\d{1,4})|channel=(frontend|backend|state)|from=(fe|be))(?=$|[\s,;])/g;

export function readComment(text: string): PieceComment {
  const said: { -readonly [K in keyof PieceComment]: PieceComment[K] } = {};
  for (const [, fds, channel, from] of text.matchAll(WORD)) {
    if (fds !== undefined) said.fds = Number(fds);
    if (channel === "frontend" || channel === "backend" || channel === "state") said.channel = channel;
    if (from === "fe" || from === "be") said.from = from;
  }
  return said;
}
