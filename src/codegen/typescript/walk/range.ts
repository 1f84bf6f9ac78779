/** Ranges: the body of each is a function of its own, so that the walk goes on behind what is broken in it. */
import type { Node, RangeNode } from "../../../schema/ir.js";
import { pathsOf } from "../../../schema/reads.js";
import { expressionsOf } from "../../../schema/structure.js";
import { membersOf } from "../../members.js";
import { pascalCase } from "../../names.js";
import { mentions, type Prelude, printFunction } from "../function.js";
import { repOf } from "../nested.js";
import type { Local, WalkBody } from "./body.js";

export const PRELUDES: readonly Prelude[] = [{ name: "view", line: "const { view } = reader;" }];

export class RangeWalker {
  private readonly body: WalkBody;
  private readonly nodes: (nodes: readonly Node[]) => void;
  /** The functions, to stand behind the one that is being printed. */
  readonly functions: (readonly string[])[] = [];

  /** \`nodes\` prints what is in a range. */
  constructor(body: WalkBody, nodes: (nodes: readonly Node[]) => void) {
    this.body = body;
    this.nodes = nodes;
  }

  /** The body of a range is a function of its own: whatever breaks in it, the walk goes on behind the range. */
  print(node: RangeNode): void {
    const { module, struct } = this.body.context;
    const length = this.body.bound(node.length, "length");
    const name = module.names.scope.claim(module.names.of(struct, "walk") + pascalCase(node.name));
    const kept = this.keptOf(node);
    const box = kept.length === 0 ? undefined : this.box(kept);
    const passed = this.rangeBody(name, node, kept, box);
    const whole = this.body.within(length, node.name, node.line, (inner, sound) => {
      this.body.out.line(`const ${sound} = ${name}(reader, ${inner}${passed});`);
    });
    if (box === undefined) return;
    // What follows depends on something in the range, so it cannot be read when that is broken.
    this.body.out.when(`!${whole}`, "return false;");
    for (const local of kept) this.body.declare(local.name, local.type, `${box.name}.${local.name}`);
  }

  /** The variables of the body of a range that what follows the range needs. */
  private keptOf({ body }: RangeNode): Local[] {
    const { struct } = this.body.context;
    const fields = new Set(
      membersOf(body).flatMap((member) => (member.kind === "field" ? [member.field] : [])),
    );
    const inside = new Set(expressionsOf({ ...struct, nodes: body }));
    const outside = expressionsOf(struct).filter((expr) => !inside.has(expr));
    const kept = new Map<string, Local>();
    for (const path of outside.flatMap(pathsOf)) {
      const [first] = path;
      const last = path[path.length - 1];
      if (first === undefined || last === undefined || !fields.has(first)) continue;
      const local = this.body.referenced.local(path) ?? this.body.context.local(first);
      kept.set(local, { name: local, type: repOf(last) });
    }
    return [...kept.values()];
  }

  /** An object through which the function for the body of a range gives its variables back. */
  private box(kept: readonly Local[]): Local {
    const name = this.body.variables.claim("kept");
    const properties = kept.map((local) => `${local.name}: ${local.type === "bigint" ? "0n" : "0"}`);
    const type = `{ ${kept.map((local) => `${local.name}: ${this.body.out.text(local.type)}`).join("; ")} }`;
    this.body.out.line(`const ${name} = { ${properties.join(", ")} };`);
    return { name, type };
  }

  /** Prints the function for later, and gives the arguments that it takes behind reader and visitor. */
  private rangeBody(
    name: string,
    { body }: RangeNode,
    kept: readonly Local[],
    box: Local | undefined,
  ): string {
    const { out } = this.body;
    const candidates = box === undefined ? [...this.body.locals] : [...this.body.locals, box];
    const lines = dedented(
      out.capture(() => {
        this.body.scoped(() => this.nodes(body));
        for (const local of kept) out.line(`${box?.name}.${local.name} = ${local.name};`);
        out.line("return true;");
      }),
    );
    const used = candidates.filter((local) => mentions(lines.join("\n"), local.name));
    const params = [this.body.reader(), this.body.visitor(), ...used];
    const signature = { doc: [], exported: false, name, params, result: "boolean" };
    const again = (): void => {
      for (const line of lines) out.line(line);
    };
    this.functions.push(dedented(out.capture(() => printFunction(out, signature, again, PRELUDES))));
    return used.map((local) => `, ${local.name}`).join("");
  }
}

/** Lines printed at some depth, moved to the margin. */
function dedented(lines: readonly string[]): string[] {
  const depth = Math.min(
    ...lines.filter((line) => line !== "").map((line) => line.length - line.trimStart().length),
  );
  return lines.map((line) => line.slice(depth));
}
