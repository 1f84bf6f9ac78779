/**
 * binary-parser 2.3.0 ships declarations that TypeScript cannot find from an ES module (its exports map names none,
 * and the file beside binary_parser.mjs is not a .d.mts). These are the parts that the benchmarks and the
 * binary-parser target use, with `unknown` where the library says `any`.
 */
declare module "binary-parser" {
  type Item = Record<string, unknown>;
  type Length = number | string | ((this: never, item: Item) => number);

  interface ParserOptions {
    length?: Length;
    lengthInBytes?: Length;
    offset?: Length;
    assert?: number | string | ((this: never, item: number | string | bigint) => boolean);
    type?: string | Parser;
    formatter?: (this: never, item: never) => unknown;
    encoding?: string;
    readUntil?: "eof" | ((this: never, item: never, buffer: Uint8Array) => boolean);
    greedy?: boolean;
    choices?: Record<number, string | Parser>;
    defaultChoice?: string | Parser;
    zeroTerminated?: boolean;
    clone?: boolean;
    stripNull?: boolean;
    key?: string;
    tag?: Length;
    wrapper?: (buffer: Uint8Array) => Uint8Array;
  }

  type Sign = "" | "u";
  type Order = "" | "le" | "be";
  type Ten = "" | "1" | "2" | "3";
  type Digit = "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9";
  type Scalar =
    | `${Sign}int8`
    | `${Sign}int${16 | 32 | 64}${Order}`
    | `${"float" | "double"}${Exclude<Order, "">}`
    | Exclude<`bit${Ten}${Digit}`, "bit0" | `bit3${Exclude<Digit, "0" | "1" | "2">}`>;
  type ScalarMethods = { [name in Scalar]: (varName: string, options?: ParserOptions) => Parser };

  // The scalar methods are an interface merged with the class: one line instead of fifty.
  interface Parser extends ScalarMethods {}
  class Parser {
    static start(): Parser;
    namely(alias: string): this;
    skip(length: Length, options?: ParserOptions): this;
    seek(relOffset: Length, options?: ParserOptions): this;
    string(varName: string, options: ParserOptions): this;
    buffer(varName: string, options: ParserOptions): this;
    wrapped(varName: string | ParserOptions, options?: ParserOptions): this;
    array(varName: string, options: ParserOptions): this;
    choice(varName: string | ParserOptions, options?: ParserOptions): this;
    nest(varName: string | ParserOptions, options?: ParserOptions): this;
    pointer(varName: string, options: ParserOptions): this;
    saveOffset(varName: string, options?: ParserOptions): this;
    endianness(endianness: "little" | "big"): this;
    useContextVars(useContextVariables?: boolean): this;
    create(constructorFn: new () => object): this;
    getCode(): string;
    compile(): void;
    sizeOf(): number;
    parse(buffer: Uint8Array): unknown;
  }
}
