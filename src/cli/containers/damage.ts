/** Says that a container cannot be unpacked any further. What came out of it before is sound. */
import type { FaultCode } from "../../runtime/index.js";

export class ContainerDamage extends Error {
  readonly container: string;
  /** `truncated` where its end is missing, `constraint` where it is not what it was. */
  readonly code: FaultCode;
  /** How many bytes came out of it. */
  readonly produced: number;

  /** `consumed`: of the packed bytes, as nearly as the library tells. */
  constructor(container: string, code: FaultCode, detail: string, consumed: number, produced: number) {
    super(`${detail} (within the first ${consumed} packed bytes)`);
    this.container = container;
    this.code = code;
    this.produced = produced;
  }
}
