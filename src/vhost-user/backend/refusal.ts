/** A request that the back-end cannot carry out: the front-end is told if it has asked, else the connection ends. */
export class Refusal extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Refusal";
  }
}
