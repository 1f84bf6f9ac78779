/** Says that a container cannot be unpacked any further. What came out of it before is sound. */
export class ContainerDamage extends Error {
  readonly container: string;
  /** How many bytes came out of it. */
  readonly produced: number;

  /** `consumed`: of the packed bytes, as nearly as the library tells. */
  constructor(container: string, detail: string, consumed: number, produced: number) {
    super(`${detail} (within the first ${consumed} packed bytes)`);
    this.container = container;
    this.produced = produced;
  }
}
