/** The values of one line, under the names that the message gives them. A shortened line has not all of them. */

export class Values {
  private readonly texts: ReadonlyMap<string, string>;
  private readonly numbers: ReadonlyMap<string, bigint>;

  constructor(texts: ReadonlyMap<string, string>, numbers: ReadonlyMap<string, bigint>) {
    this.texts = texts;
    this.numbers = numbers;
  }

  text(name: string): string {
    return this.texts.get(name) ?? "";
  }

  has(name: string): boolean {
    return this.texts.has(name);
  }

  big(name: string): bigint {
    return this.numbers.get(name) ?? 0n;
  }

  /** Of values that fit: indices, sizes, small numbers. */
  number(name: string): number {
    return Number(this.big(name));
  }
}
