/** Compares two versions of a schema: finds what changed, and for each change whom it breaks, with a witness. */
import type { Program, Struct } from "../schema/ir.js";
import { allFields, closureOf, structsOf } from "../schema/structure.js";
import type { Disagreement } from "./agree.js";
import type { Change } from "./changes/change.js";
import { changesBetween } from "./changes/index.js";
import { meaningOf } from "./items.js";
import type { Profile } from "./profiles.js";
import { RULES, type RuleId } from "./rules.js";
import { type Side, type Witness, WitnessSearch } from "./witness.js";

/** `unproven`: the kind of change breaks something or the profile forbids it, but no bytes were found that show it. */
export type Verdict =
  | { readonly kind: "compatible" }
  | { readonly kind: "breaks"; readonly witness: Witness }
  | { readonly kind: "unproven"; readonly why: string };

export interface Finding {
  readonly rule: RuleId;
  readonly change: Change;
  /** Can old readers understand what the new version writes? */
  readonly oldReaders: Verdict;
  /** Can new readers understand what the old version wrote? */
  readonly oldData: Verdict;
  /** Why the profile does not allow it. */
  readonly forbidden: string | undefined;
}

export interface Comparison {
  readonly profile: Profile;
  readonly compatible: boolean;
  readonly findings: readonly Finding[];
}

export function compare(older: Program, newer: Program, profile: Profile): Comparison {
  const findings = new Comparer(older, newer, profile).findings();
  const compatible = findings.every(
    ({ oldReaders, oldData, forbidden }) =>
      forbidden === undefined && oldReaders.kind === "compatible" && oldData.kind === "compatible",
  );
  return { profile, compatible, findings };
}

/** An enum may be used in very many structs; in a few it shows as well. */
const MAX_USERS = 4;

const COMPATIBLE: Verdict = { kind: "compatible" };

const SIDES: readonly Side[] = ["oldReaders", "oldData"];

class Comparer {
  private readonly profile: Profile;
  private readonly changes: readonly Change[];
  private readonly search = new WitnessSearch();
  /** Structs that both versions have, smaller ones first: their messages are easier to look at. */
  private readonly pairs: readonly (readonly [Struct, Struct])[];

  constructor(older: Program, newer: Program, profile: Profile) {
    this.profile = profile;
    this.changes = changesBetween(older, newer);
    const now = new Map(structsOf(newer).map((struct) => [keyOf(struct), struct]));
    this.pairs = structsOf(older)
      .flatMap((old): [Struct, Struct][] => {
        const other = now.get(keyOf(old));
        return other === undefined ? [] : [[old, other]];
      })
      .sort(([a], [b]) => closureOf(a).size - closureOf(b).size || a.size.min - b.size.min);
  }

  findings(): Finding[] {
    const found = this.changes.map((change) => this.judge(change));
    return [...found, ...this.effects(found)];
  }

  private judge(change: Change): Finding {
    const { profile } = this;
    const rule = profile.ruleOf(change);
    const forbidden = profile.forbids(change);
    const [oldReaders, oldData] = SIDES.map((side) => this.verdict(change, side, forbidden)) as [
      Verdict,
      Verdict,
    ];
    if (change.rule !== "constraint-changed" || oldReaders.kind === oldData.kind)
      return { rule, change, oldReaders, oldData, forbidden };
    // Another bound is either tighter or wider: once it is known which, nobody expects the other.
    const settled = (verdict: Verdict): Verdict => (verdict.kind === "unproven" ? COMPATIBLE : verdict);
    return { rule, change, oldReaders: settled(oldReaders), oldData: settled(oldData), forbidden };
  }

  private verdict(change: Change, side: Side, forbidden: string | undefined): Verdict {
    const witness = this.witness(change, side);
    if (witness !== undefined) return { kind: "breaks", witness };
    if (this.breaksByNature(change, side) && !this.profile.allows(change))
      return {
        kind: "unproven",
        why: "a change of this kind breaks by its nature, but no message was found that shows it",
      };
    return forbidden !== undefined && side === "oldReaders"
      ? { kind: "unproven", why: "the profile forbids it, but no message was found that shows why" }
      : COMPATIBLE;
  }

  private breaksByNature({ rule, refuses = false }: Change, side: Side): boolean {
    if (rule === "case-added" || rule === "enum-member-added") return refuses && side === "oldReaders";
    if (rule === "case-removed" || rule === "enum-member-removed") return refuses && side === "oldData";
    return RULES[rule][side];
  }

  private witness(change: Change, side: Side): Witness | undefined {
    const { subject } = change;
    if (subject === undefined) return undefined;
    if (subject.kind === "names") return this.witnessOfNames(change, side);
    const extensible = this.profile.allows(change);
    const found = this.search.between(subject.old, subject.new, side, extensible);
    const own = found.filter(({ disagreement }) => isOwn(disagreement, change));
    const any = this.mayBeAnywhere(change, side) ? found : own;
    return shortest(own) ?? shortest(any.filter((each) => !this.isAboutAnother(each, change)));
  }

  /**
   * A member that moves those behind it shows in them, too. One that is not known to break anything takes no blame for
   * what others do.
   */
  private mayBeAnywhere(change: Change, side: Side): boolean {
    if (this.breaksByNature(change, side)) return true;
    if (!RULES[change.rule].moves) return false;
    return !this.changes.some((other) => isSameStruct(other, change) && this.breaksByNature(other, side));
  }

  /** It is in the very member that another change is about. */
  private isAboutAnother({ disagreement }: Witness, change: Change): boolean {
    if (RULES[change.rule].moves) return false;
    return this.changes.some(
      (other) => other !== change && isSameStruct(other, change) && isOwn(disagreement, other),
    );
  }

  private witnessOfNames(change: Change, side: Side): Witness | undefined {
    const users = this.pairs.filter(([old, now]) =>
      [old, now].every((struct) =>
        allFields(struct).some((field) => meaningOf(field)?.name === change.declaration),
      ),
    );
    const refusal = change.rule === "enum-closed" || change.rule === "enum-opened" || change.refuses === true;
    return shortest(
      users
        .slice(0, MAX_USERS)
        .flatMap(([old, now]) =>
          this.search
            .between(old, now, side, false)
            .filter(
              ({ disagreement: { kind, names, code } }) =>
                (kind === "meaning" && names.some((name) => change.members.includes(name))) ||
                (refusal && code === "enum"),
            ),
        ),
    );
  }

  /**
   * Structs that read differently although no change in them, or in what they hold, is known to break. Without this a
   * disagreement that no change is blamed for would go unreported.
   */
  private effects(found: readonly Finding[]): Finding[] {
    return this.pairs.flatMap(([old, now]): Finding[] => {
      const inside = found.filter(({ change }) =>
        [...closureOf(old)].some((struct) => isHeld(change, struct)),
      );
      if (inside.length === 0) return [];
      const change = effectOn(old, now);
      const extensible = this.profile.allows(change);
      const verdicts = SIDES.map((side): Verdict => {
        if (inside.some((finding) => finding[side].kind !== "compatible")) return COMPATIBLE;
        const witness = shortest(this.search.between(old, now, side, extensible));
        return witness === undefined ? COMPATIBLE : { kind: "breaks", witness };
      });
      const [oldReaders, oldData] = verdicts as [Verdict, Verdict];
      if (verdicts.every(({ kind }) => kind === "compatible")) return [];
      return [{ rule: "effect", change, oldReaders, oldData, forbidden: undefined }];
    });
  }
}

function effectOn(old: Struct, now: Struct): Change {
  return {
    rule: "effect",
    module: old.module.name,
    declaration: old.name,
    members: [],
    detail: `\`${old.name}\``,
    old: { file: old.module.file, line: old.line },
    new: { file: now.module.file, line: now.line },
    subject: { kind: "struct", old, new: now },
  };
}

function keyOf({ module, name }: Struct): string {
  return `${module.name} ${name}`;
}

function isOf({ subject }: Change, struct: Struct): boolean {
  return subject?.kind === "struct" && subject.old === struct;
}

function isHeld(change: Change, struct: Struct): boolean {
  if (isOf(change, struct)) return true;
  return (
    change.subject?.kind === "names" &&
    allFields(struct).some((field) => meaningOf(field) === change.subject?.old)
  );
}

function isSameStruct(a: Change, b: Change): boolean {
  return a.subject?.kind === "struct" && b.subject?.kind === "struct" && a.subject.old === b.subject.old;
}

/** Rules by which a switch may come to refuse a tag that it took. */
const ABOUT_TAGS: readonly RuleId[] = ["default-changed", "tag-changed", "case-relabelled"];
/** Rules by which a member gets other names without any one name being changed. */
const ABOUT_MEANINGS: readonly RuleId[] = ["meaning-changed", "tag-changed", "type-changed"];

/** The disagreement is about the very member that changes. */
function isOwn(
  { path, code, kind, names }: Disagreement,
  { rule, members, refuses = false }: Change,
): boolean {
  const head = /^[^.[]*/.exec(path)?.[0] ?? "";
  // A constraint that stands alone is about the struct as a whole.
  if (rule.startsWith("constraint-")) return code === "constraint" && (head === "" || members.includes(head));
  if (!members.includes(head)) return false;
  // All cases of a switch share its path.
  if (code === "tag") return refuses || ABOUT_TAGS.includes(rule);
  return kind !== "meaning" || ABOUT_MEANINGS.includes(rule) || names.some((name) => members.includes(name));
}

function shortest(witnesses: readonly Witness[]): Witness | undefined {
  return witnesses.reduce<Witness | undefined>(
    (best, each) => (best === undefined || each.bytes.length < best.bytes.length ? each : best),
    undefined,
  );
}
