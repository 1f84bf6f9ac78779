/**
 * Finds where the parts of a state lie: fields by scanning their layouts, subsections by their heads. Where damage hides
 * how long something is, it goes on at the next head that it knows the state to have.
 */
import type { Reader } from "../../../runtime/index.js";
import { DEAF } from "../relay.js";
import { findHead, headAt, isName } from "./heads.js";
import type { Layout } from "./layout.js";
import type { BytesPiece, FieldsPiece, Piece } from "./pieces.js";
import type { Vmstate } from "./vmstate.js";

/** More than any number of bytes that are only left over in a state that reads well. */
const UNSOUND = 1 << 16;

export class StateLocator {
  /** 0 as long as the bytes are exactly what the layouts ask for. */
  damage = 0;
  /** Something before has been lost: that its bytes are claimed by nothing is not news. */
  isLost = false;
  private readonly reader: Reader;
  /** The state whose subsections end everything, and can be gone on from. Undefined: there is none. */
  private readonly last: Vmstate | undefined;
  private readonly behind: ReadonlySet<string>;

  /** `behind`: names of subsections that stand behind the last state, and are not its own. */
  constructor(reader: Reader, last: Vmstate | undefined, behind: ReadonlySet<string> = new Set()) {
    this.reader = reader;
    this.last = last;
    this.behind = behind;
  }

  /** Fields and subsections. `name`: what the fields stand under; empty for beside the rest. */
  state(of: Vmstate, name = ""): Piece[] {
    const fields = this.choose(of.layouts);
    return [...(fields === undefined ? [] : [this.fields(fields, name)]), ...this.subsections(of)];
  }

  /** The layout behind which something stands that can stand there; else one that fits by itself. */
  private choose(layouts: readonly Layout[]): Layout | undefined {
    if (layouts.length <= 1) return layouts[0];
    const { reader } = this;
    const { at, end, depth } = reader;
    let fitting: Layout | undefined;
    for (const candidate of layouts) {
      const fits = candidate.scan(reader);
      const behind = reader.at;
      reader.rewind(at, end, depth);
      if (fits && (behind === end || headAt(reader, behind) !== undefined)) return candidate;
      if (fits) fitting ??= candidate;
    }
    return fitting ?? layouts[0];
  }

  fields(of: Layout, name: string): FieldsPiece {
    const { reader } = this;
    const { at, end, depth } = reader;
    const sound = of.scan(reader);
    if (!sound) {
      this.damage += UNSOUND;
      if (!of.walk(reader.rewind(at, end, depth), DEAF)) {
        this.isLost = true;
        reader.rewind(this.resumption(at), end, depth);
        this.damage += reader.at - at;
      }
    }
    reader.rewind(reader.at, end, depth);
    return { kind: "fields", name, layout: of, sound, at, end: reader.at };
  }

  subsections(of: Vmstate): Piece[] {
    const { reader } = this;
    const found: Piece[] = [];
    for (let head = headAt(reader, reader.at); head !== undefined; head = headAt(reader, reader.at)) {
      const { at, name, versionId } = head;
      const named = of.subsections.filter((sub) => sub.name === name);
      const known = named.find(({ version = 1 }) => version === versionId) ?? named[0];
      if (known === undefined && !this.isUnknownOf(of, name)) break;
      reader.at = head.bodyAt;
      this.isLost = false;
      const pieces = known === undefined ? this.unknown() : this.state(known);
      const version = known?.version ?? 1;
      const expected = known === undefined || version === versionId ? undefined : version;
      if (expected !== undefined) this.damage += UNSOUND;
      found.push({ kind: "subsection", name, versionId, expected, pieces, at, end: reader.at });
    }
    return found;
  }

  /** The body of a subsection that came with a later version. */
  private unknown(): Piece[] {
    const { at, end } = this.reader;
    return at === end || headAt(this.reader, at) !== undefined ? [] : [this.skip("unknown", true)];
  }

  /** Bytes up to where reading can go on. */
  skip(name: string, isExpected: boolean): BytesPiece {
    const { reader } = this;
    const { at } = reader;
    reader.at = this.resumption(at);
    const size = reader.at - at;
    if (isExpected) return { kind: "bytes", name, at, end: reader.at, fault: undefined };
    this.damage += UNSOUND + size;
    const detail = `${size} bytes more than its fields take`;
    return { kind: "bytes", name, at, end: reader.at, fault: { code: "trailing", detail } };
  }

  private resumption(at: number): number {
    const { reader, last } = this;
    const head = last && findHead(reader, at, (name) => name.startsWith(`${last.name}/`));
    return head?.at ?? reader.end;
  }

  /** Whether it is a subsection of a state that does not know it; behind the last state all are. */
  private isUnknownOf(of: Vmstate, name: string): boolean {
    return name.startsWith(`${of.name}/`) || (of === this.last && isName(name) && !this.behind.has(name));
  }
}
