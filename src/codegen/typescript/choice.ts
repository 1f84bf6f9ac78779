/** A switch of the schema as a `switch` statement. What each case does is for the caller to print. */
import type { Arm, Case, SwitchNode } from "../../schema/ir.js";
import { code, type Part } from "../printer.js";
import type { Body } from "./body.js";
import { expression, literal } from "./expressions.js";

export interface ChoiceActions {
  /** `name` is what the `case` property holds. Empty cases have no arm. */
  arm(name: string, arm: Arm | undefined): void;
  /** No case has the value. */
  refuse(): void;
}

/** A range of labels is written out up to this width. */
const MAX_LABELS = 8n;

interface Label {
  readonly from: bigint;
  readonly to: bigint;
  readonly hint: string | undefined;
}

export function printChoice(body: Body, node: SwitchNode, actions: ChoiceActions): void {
  const { out, context, env, variables } = body;
  const listed: { readonly labels: readonly Label[]; readonly chosen: Case }[] = [];
  const ranged: { readonly labels: readonly Label[]; readonly chosen: Case }[] = [];
  for (const chosen of node.cases) {
    const labels = chosen.labels.flatMap(writtenOut);
    (labels.every(({ from, to }) => from === to) ? listed : ranged).push({ labels, chosen });
  }
  const chosenCase = (chosen: Case): void => actions.arm(context.caseName(chosen), chosen.arm);
  const rep = node.on.rep === "bigint" ? "bigint" : "number";
  let on = expression(node.on, env);
  if (ranged.length > 0 && node.on.kind !== "field" && node.on.kind !== "param") {
    const tag = variables.claim("tag");
    out.line(code`const ${tag} = ${on};`);
    on = tag;
  }

  const others = (): void => {
    ranged.forEach(({ labels, chosen }, index) => {
      const tests = labels.map(({ from, to }): Part => {
        if (from === to) return code`${on} === ${literal(from, rep, 16)}`;
        return code`(${on} >= ${literal(from, rep, 16)} && ${on} <= ${literal(to, rep, 16)})`;
      });
      out.chain(index === 0 ? "if (" : "} else if (", tests, "||", ") {");
      out.indented(() => chosenCase(chosen));
    });
    if (ranged.length === 0) {
      printDefault(body, node, actions);
      return;
    }
    out.line("} else {");
    out.indented(() => printDefault(body, node, actions));
    out.line("}");
  };

  if (listed.length === 0) {
    out.block("", others);
    return;
  }
  out.block(code`switch (${on})`, () => {
    for (const { labels, chosen } of listed) {
      labels.forEach(({ from, hint }, index) => {
        const last = index === labels.length - 1;
        const comment = hint === undefined ? "" : ` // ${hint}`;
        out.line(`case ${literal(from, rep, 16)}:${last ? " {" : ""}${comment}`);
      });
      out.indented(() => {
        chosenCase(chosen);
        out.line("break;");
      });
      out.line("}");
    }
    out.block("default:", others);
  });
}

function printDefault({ out, context, env }: Body, node: SwitchNode, actions: ChoiceActions): void {
  switch (node.default.kind) {
    case "keep":
      actions.arm(context.caseName(node.default.arm.field), node.default.arm);
      break;
    case "skip": {
      const { arm, condition } = node.default;
      out.line("if (", expression(condition, env), ") {");
      out.indented(() => actions.arm(context.caseName(arm.field), arm));
      out.line("} else {");
      out.indented(() => actions.refuse());
      out.line("}");
      break;
    }
    case "refuse":
      actions.refuse();
      break;
  }
}

function writtenOut(label: Label): Label[] {
  const { from, to, hint } = label;
  if (to - from >= MAX_LABELS) return [label];
  const labels: Label[] = [];
  for (let value = from; value <= to; value++) labels.push({ from: value, to: value, hint });
  return labels;
}
