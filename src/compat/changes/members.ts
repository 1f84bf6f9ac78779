/** Changes of a struct: which members went, came, moved or became something else. */
import type { Struct } from "../../schema/ir.js";
import { innermost } from "../../schema/structure.js";
import { paramText } from "../describe.js";
import { type Facet, type Item, itemsOf, WITHIN } from "../items.js";
import type { RuleId } from "../rules.js";
import type { Change } from "./change.js";

/** Whether two structs consist of the same things, names of nested structs apart. */
function sameShape(a: Struct, b: Struct): boolean {
  const left = itemsOf(a);
  const right = itemsOf(b);
  return (
    left.length === right.length &&
    left.every((item, i) => {
      const other = right[i];
      return other !== undefined && item.key === other.key && differing(item, other).length === 0;
    })
  );
}

/** The facets in which two members differ. */
function differing(old: Item, now: Item): Facet[] {
  const facets = Object.keys(old.facets) as Facet[];
  return facets.filter((facet) => {
    if (old.facets[facet] === now.facets[facet]) return false;
    return facet !== "type" || !isRenamedStruct(old, now);
  });
}

/** A struct with another name and the same shape is the same on the wire. */
function isRenamedStruct(old: Item, now: Item): boolean {
  const left = old.field && innermost(old.field.type);
  const right = now.field && innermost(now.field.type);
  if (left?.kind !== "struct" || right?.kind !== "struct" || left.struct.name === right.struct.name)
    return false;
  const withoutName = (text: string): string => text.replace(/^\w+/, "");
  return (
    withoutName(old.facets.type) === withoutName(now.facets.type) && sameShape(left.struct, right.struct)
  );
}

const FACET_RULES: Readonly<Record<Facet, RuleId>> = {
  type: "type-changed",
  meaning: "meaning-changed",
  count: "count-changed",
  constant: "constant-changed",
  guard: "condition-changed",
  labels: "case-relabelled",
  expression: "tag-changed",
  default: "default-changed",
};

export class StructChanges {
  private readonly old: Struct;
  private readonly now: Struct;
  private readonly before: readonly Item[];
  private readonly after: readonly Item[];
  private readonly changes: Change[] = [];

  constructor(old: Struct, now: Struct) {
    this.old = old;
    this.now = now;
    this.before = itemsOf(old);
    this.after = itemsOf(now);
  }

  all(): Change[] {
    this.parameters();
    const pairs = this.pairs();
    const paired = new Set(pairs.flat());
    const bounds = [...this.before, ...this.after].some((item) => item.kind === "range" && !paired.has(item));
    for (const [item, other] of pairs) {
      if (item.kind !== "where" && item.kind !== "range" && !item.reserved && item.name !== other.name)
        this.add("field-renamed", item, other, "");
      for (const facet of differing(item, other)) {
        // That its members are bounded follows from the range that comes or goes, and is no news.
        if (facet === "guard" && bounds && unbounded(item) === unbounded(other)) continue;
        this.facet(facet, item, other);
      }
    }
    this.moved(pairs);
    const removed = this.before.filter((item) => !paired.has(item));
    const added = this.after.filter((item) => !paired.has(item));
    for (const item of removed) this.removed(item, added);
    for (const item of added) this.added(item, removed, paired);
    return this.changes;
  }

  private parameters(): void {
    const text = ({ params }: Struct): string =>
      params
        .filter(({ implicit }) => !implicit)
        .map(paramText)
        .join(", ");
    const [was, is] = [text(this.old), text(this.now)];
    if (was === is) return;
    this.push("parameters-changed", this.old.line, this.now.line, [], `(${was}) became (${is})`);
  }

  /** Members of the two versions that are the same thing: by name, else by place and type. */
  private pairs(): [Item, Item][] {
    const pairs: [Item, Item][] = [];
    const left = new Set(this.before);
    const right = new Set(this.after);
    const pair = (test: (item: Item, other: Item) => boolean): void => {
      for (const item of left) {
        const other = [...right].find((each) => test(item, each));
        if (other === undefined) continue;
        left.delete(item);
        right.delete(other);
        pairs.push([item, other]);
      }
    };
    pair((a, b) => a.kind === "switch" && a.kind === b.kind && a.key === b.key);
    pair((a, b) => a.kind === "switch" && a.kind === b.kind && differing(a, b).length === 0);
    const choices = new Map(pairs.map(([a, b]) => [a.name, b.name]));
    const isSameArm = (a: Item, b: Item): boolean =>
      a.kind === "arm" &&
      a.kind === b.kind &&
      a.choice !== undefined &&
      choices.get(a.choice) === b.choice &&
      differing(a, b).length === 0;
    // Reserved members have no names of their own: they are what they are by their place.
    pair((a, b) => a.key === b.key && a.reserved === b.reserved && (!a.reserved || this.isSamePlace(a, b)));
    pair((a, b) => !a.reserved && !b.reserved && this.isSamePlace(a, b));
    pair(isSameArm);
    pair((a, b) => a.kind === "where" && b.kind === "where" && a.bound !== undefined && a.bound === b.bound);
    pair((a, b) => a.kind === "range" && b.kind === "range" && differing(a, b).length === 0);
    pair((a, b) => a.reserved && b.reserved && differing(a, b).length === 0);
    return pairs;
  }

  private isSamePlace(a: Item, b: Item): boolean {
    if (a.kind !== "field" || b.kind !== "field" || differing(a, b).length > 0) return false;
    const [start, other] = [a, b].map(({ field }) => field?.offset);
    return start === undefined || other === undefined
      ? this.before.indexOf(a) === this.after.indexOf(b)
      : start === other;
  }

  private facet(facet: Facet, item: Item, other: Item): void {
    const [was, is] = [item.facets[facet], other.facets[facet]];
    const detail = `${was || "nothing"} became ${is || "nothing"}`;
    this.add(ruleOf(facet, item, was, is), item, other, detail);
  }

  /** Members that are not where the order of the others has them. */
  private moved(pairs: readonly (readonly [Item, Item])[]): void {
    const fields = pairs.filter(([item]) => item.kind === "field" && !item.reserved);
    const places = [...fields]
      .sort(([a], [b]) => this.before.indexOf(a) - this.before.indexOf(b))
      .map((pair) => ({ pair, place: this.after.indexOf(pair[1]) }));
    const kept = new Set(longestRise(places.map(({ place }) => place)));
    places.forEach(({ pair: [item, other] }, i) => {
      if (!kept.has(i)) this.add("field-moved", item, other, "");
    });
  }

  private removed(item: Item, added: readonly Item[]): void {
    const rule = this.removalRule(item, added);
    if (rule === "case-removed") this.add(rule, item, undefined, caseText(item), this.refusing(item));
    else if (rule !== undefined) this.add(rule, item, undefined, typeText(item));
  }

  private removalRule(item: Item, added: readonly Item[]): RuleId | undefined {
    if (item.kind === "where") return "constraint-removed";
    if (item.kind === "range") return "range-removed";
    // The treatment of unknown tags is a facet of the switch.
    if (item.kind === "arm") return item.facets.labels === "default" ? undefined : "case-removed";
    const reserved = this.after.some((each) => each.reserved && isWithin(item, each));
    if (!item.reserved) return reserved ? "field-reserved" : "field-removed";
    return reserved || added.some((each) => isWithin(each, item)) ? undefined : "field-removed";
  }

  private added(item: Item, removed: readonly Item[], paired: ReadonlySet<Item>): void {
    const rule = this.additionRule(item, removed, paired);
    if (rule === "case-added") this.add(rule, undefined, item, caseText(item), this.refused(item));
    else if (rule !== undefined) this.add(rule, undefined, item, typeText(item));
  }

  private additionRule(item: Item, removed: readonly Item[], paired: ReadonlySet<Item>): RuleId | undefined {
    if (item.kind === "where") return "constraint-added";
    if (item.kind === "range") return "range-added";
    if (item.kind === "arm") return item.facets.labels === "default" ? undefined : "case-added";
    const spare = this.before.some((each) => each.reserved && isWithin(item, each));
    if (item.reserved && (spare || removed.some((each) => isWithin(each, item)))) return undefined;
    if (spare) return "reserved-claimed";
    if (item.optional) return "optional-added";
    if (item.conditional) return "conditional-added";
    const isLast = this.after
      .slice(this.after.indexOf(item))
      .every((each) => !paired.has(each) || each.kind === "where" || each.kind === "range");
    return isLast ? "field-appended" : "field-inserted";
  }

  /** The other version refuses the tags that have no case. */
  private refused(item: Item): boolean {
    return this.before.some((each) => each.kind === "switch" && each.name === item.choice && each.refuses);
  }

  private refusing(item: Item): boolean {
    return this.after.some((each) => each.kind === "switch" && each.name === item.choice && each.refuses);
  }

  private add(
    rule: RuleId,
    old: Item | undefined,
    now: Item | undefined,
    detail: string,
    refuses = false,
  ): void {
    const names = [old, now].flatMap((item) =>
      item === undefined ? [] : [item.name, item.choice ?? item.name, item.bound ?? item.name],
    );
    const title = `\`${old?.name ?? now?.name ?? ""}\`${old && now && old.name !== now.name ? ` → \`${now.name}\`` : ""}`;
    this.push(
      rule,
      old?.line,
      now?.line,
      [...new Set(names)],
      detail === "" ? title : `${title}: ${detail}`,
      refuses,
    );
  }

  private push(
    rule: RuleId,
    oldLine: number | undefined,
    newLine: number | undefined,
    members: readonly string[],
    detail: string,
    refuses = false,
  ): void {
    const { old, now } = this;
    this.changes.push({
      rule,
      module: old.module.name,
      declaration: old.name,
      members,
      detail,
      old: oldLine === undefined ? undefined : { file: old.module.file, line: oldLine },
      new: newLine === undefined ? undefined : { file: now.module.file, line: newLine },
      subject: { kind: "struct", old, new: now },
      refuses,
    });
  }
}

function ruleOf(facet: Facet, { kind }: Item, was: string, is: string): RuleId {
  if (facet === "constant" && was === "") return "constant-added";
  if (facet === "constant" && is === "") return "constant-dropped";
  if (facet === "expression" && kind === "range") return "range-changed";
  if (facet === "expression" && kind === "where") return "constraint-changed";
  return FACET_RULES[facet];
}

/** What a member depends on, ranges apart. */
function unbounded({ facets }: Item): string {
  return facets.guard
    .split(", ")
    .filter((each) => each !== WITHIN)
    .join(", ");
}

function typeText({ kind, facets }: Item): string {
  if (kind === "range") return facets.expression;
  return [`${facets.type}${facets.count}`, facets.guard].filter((text) => text !== "").join(", ");
}

function caseText({ choice, facets }: Item): string {
  return `of ${choice}: ${facets.labels}`;
}

/** The bits that a member takes, when they are the same in every message. */
function extentOf({ field, kind }: Item): { from: number; to: number } | undefined {
  if (kind !== "field" || field?.offset === undefined || field.conditional) return undefined;
  const from = field.offset * 8;
  if (field.type.kind === "bits")
    return { from: from + field.type.shift, to: from + field.type.shift + field.type.width };
  return field.size.max === field.size.min ? { from, to: from + field.size.min * 8 } : undefined;
}

function isWithin(inner: Item, outer: Item): boolean {
  const [a, b] = [extentOf(inner), extentOf(outer)];
  return a !== undefined && b !== undefined && a.from >= b.from && a.to <= b.to;
}

/** The indices of a longest rising subsequence. */
function longestRise(values: readonly number[]): number[] {
  let best: number[] = [];
  const ending: number[][] = [];
  values.forEach((value, i) => {
    let longest: number[] = [];
    for (let j = 0; j < i; j++) {
      const chain = ending[j] ?? [];
      if ((values[j] ?? 0) < value && chain.length > longest.length) longest = chain;
    }
    const chain = [...longest, i];
    ending.push(chain);
    if (chain.length > best.length) best = chain;
  });
  return best;
}
