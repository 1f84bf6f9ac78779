/** A file: the header, its imports and its declarations. The last layer of the parser. */
import type { IToken } from "chevrotain";
import type { DocComments } from "../doc.js";
import * as t from "../lexer.js";
import type { DeclSyntax, ImportSyntax, ModuleSyntax, Name, OrderName } from "../syntax.js";
import { DECLARATION } from "./expectations.js";
import { NO_RESYNC, nameOf } from "./recovery.js";
import { TableParser } from "./tables.js";

export class WireParser extends TableParser {
  private name: string | undefined;

  /** Checks its own grammar only when told to: the tests do, programs save the time. */
  constructor(skipValidations: boolean) {
    super(skipValidations);
    this.performSelfAnalysis();
  }

  /** The tree as far as it could be made; mistakes are in `errors` and `findings`. Throws `GivingUp`. */
  read(file: string, text: string, tokens: IToken[], docs: DocComments): ModuleSyntax | undefined {
    this.name = undefined;
    const module = this.over(text, tokens, docs, () => this.module());
    return module && { ...module, file, text };
  }

  /** As soon as it has been read, whatever happens to the rest. */
  get moduleName(): string | undefined {
    return this.name;
  }

  private readonly module = this.RULE(
    "module",
    (): Omit<ModuleSyntax, "file" | "text"> | undefined => {
      const doc = this.takeDoc();
      const header = this.guarded(() => this.SUBRULE(this.header), this.skipDeclaration);
      this.ACTION(() => {
        this.name = header?.name.text;
      });
      const imports: ImportSyntax[] = [];
      const decls: DeclSyntax[] = [];
      this.MANY(() => {
        const item = this.guarded(() => this.SUBRULE(this.item), this.skipDeclaration);
        if (item?.kind === "import") {
          if (decls.length > 0) {
            this.find("late-import", "imports stand before the first declaration", item.import.span);
          }
          imports.push(item.import);
        } else if (item?.kind === "decl") {
          decls.push(item.decl);
        }
        this.OPTION(() => {
          const semicolon = this.CONSUME(t.Semicolon);
          this.find("syntax", "a declaration is not followed by `;`", t.spanOf(semicolon));
        });
      });
      return header && { ...header, doc, imports, decls };
    },
    NO_RESYNC,
  );

  private readonly header = this.RULE(
    "header",
    (): { name: Name; order: OrderName } => {
      this.CONSUME(t.Module);
      const name = this.SUBRULE(this.dotted, { ARGS: ["the name of the module"] });
      const order = this.SUBRULE(this.order);
      this.CONSUME(t.Semicolon);
      return { name, order };
    },
    NO_RESYNC,
  );

  private readonly dotted = this.RULE(
    "dotted",
    (wanted: string): Name => {
      const start = this.start();
      let text = this.CONSUME(t.Name, { ERR_MSG: wanted }).image;
      this.MANY(() => {
        this.CONSUME(t.Dot);
        text += `.${this.CONSUME1(t.Name).image}`;
      });
      return { text, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly item = this.RULE(
    "item",
    (): Item =>
      this.OR<Item>({
        ERR_MSG: DECLARATION,
        DEF: [
          { ALT: () => ({ kind: "import", import: this.SUBRULE(this.import) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.const) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.enum) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.flags) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.struct) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.table) }) },
        ],
      }),
    NO_RESYNC,
  );

  private readonly import = this.RULE(
    "import",
    (): ImportSyntax => {
      const start = this.start();
      const names: Name[] = [];
      this.CONSUME(t.Import);
      const module = this.SUBRULE(this.dotted, { ARGS: ["the name of a module"] });
      this.CONSUME(t.LCurly);
      this.AT_LEAST_ONE({
        ERR_MSG: "a name",
        DEF: () => {
          names.push(nameOf(this.CONSUME(t.Name)));
          if (!this.at(t.RCurly)) this.CONSUME(t.Comma);
        },
      });
      this.CONSUME(t.RCurly);
      this.CONSUME(t.Semicolon);
      return { module, names, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );
}

type Item =
  | { readonly kind: "import"; readonly import: ImportSyntax }
  | { readonly kind: "decl"; readonly decl: DeclSyntax };
