/** The rows of generated command and message tables. Structs are given by the source document's names. */

/** What goes with an opcode. */
export interface CommandRow {
  readonly number: number | bigint;
  readonly name: string;
  /** The struct of the command-specific data; undefined when there is none. */
  readonly payload: string | undefined;
  /** The struct of the fixed output of the envelope. */
  readonly output: string | undefined;
  /** The struct of the result. */
  readonly reply: string | undefined;
  /** The group type that the command is for. */
  readonly group: string | undefined;
  /** The names of the flags that must have been negotiated, all of them. */
  readonly needs: readonly string[];
}

/** What goes with a message id. */
export interface MessageRow {
  readonly number: number | bigint;
  readonly name: string;
  /** The struct of the payload; undefined when there is none. */
  readonly payload: string | undefined;
  /** The struct of the reply's payload. */
  readonly reply: string | undefined;
  /** A reply always comes, even an empty one. */
  readonly replies: boolean;
  /** Acknowledged, when that was negotiated and asked for. */
  readonly acknowledged: boolean;
  /** The names of the flags with which the reply always comes, all of them; empty where none do that. */
  readonly repliesWith: readonly string[];
  /** The least and the most file descriptors that come with it. */
  readonly fds: readonly [least: number, most: number] | undefined;
  /** The same for the reply. */
  readonly replyFds: readonly [least: number, most: number] | undefined;
  /** The names of the flags that must have been negotiated, all of them. */
  readonly needs: readonly string[];
}
