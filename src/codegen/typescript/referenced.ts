/** What the expressions of a struct refer to, and the variables that hold it while the struct is gone through. */
import type { Field, Struct } from "../../schema/ir.js";
import { pathsOf } from "../../schema/reads.js";
import { allNodes, expressionsOf } from "../../schema/structure.js";
import { camelCase } from "../names.js";
import type { Variables } from "./context.js";

/** A field inside nested structs, and the variable that holds its value. */
export interface NestedField {
  readonly path: readonly Field[];
  readonly local: string;
}

export class Referenced {
  /** Fields of the struct itself: each is read from memory once, into a variable. */
  readonly fields: ReadonlySet<Field>;
  readonly nested: readonly NestedField[];
  /** Fields whose place an error of a constraint names. */
  readonly constrained: ReadonlySet<Field>;

  /** Claims the variables for what lies inside nested structs. */
  constructor(struct: Struct, variables: Variables) {
    const paths = expressionsOf(struct).flatMap(pathsOf);
    this.fields = new Set(paths.filter((path) => path.length === 1).flat());
    const deep = new Map(paths.filter((path) => path.length > 1).map((path) => [pathText(path), path]));
    this.nested = [...deep].map(([text, path]) => ({
      path,
      local: variables.claim(camelCase(text.replaceAll(".", "_"))),
    }));
    this.constrained = new Set(
      allNodes(struct.nodes).flatMap((node) =>
        node.kind === "where" && node.field !== undefined ? [node.field] : [],
      ),
    );
  }

  /** The variable for a path into nested structs. */
  local(path: readonly Field[]): string | undefined {
    const text = pathText(path);
    return this.nested.find((each) => pathText(each.path) === text)?.local;
  }

  /** What is referred to inside `field`, a nested struct. */
  inside(field: Field): readonly NestedField[] {
    return this.nested.filter(({ path }) => path[0] === field);
  }
}

function pathText(path: readonly Field[]): string {
  return path.map(({ name }) => name).join(".");
}
