/** Interrupts of a device, and the register that says to drivers without MSI-X why there was one. */
import { VirtioPciIsr } from "../../../generated/virtio/pci.js";
import { NO_VECTOR } from "./device-state.js";

/** Whom a device interrupts; `vector` is what the driver has chosen, or NO_VECTOR. */
export interface Interrupts {
  queue(queue: number, vector: number): void;
  config(vector: number): void;
}

export class InterruptStatus {
  private readonly interrupts: Interrupts;
  /** `VirtioPciIsr` */
  private isr = 0;

  constructor(interrupts: Interrupts) {
    this.interrupts = interrupts;
  }

  queue(queue: number, vector: number): void {
    if (vector === NO_VECTOR) this.isr |= VirtioPciIsr.VIRTIO_PCI_ISR_QUEUE;
    this.interrupts.queue(queue, vector);
  }

  config(vector: number): void {
    if (vector === NO_VECTOR) this.isr |= VirtioPciIsr.VIRTIO_PCI_ISR_CONFIG;
    this.interrupts.config(vector);
  }

  /** Reading clears it. */
  take(): number {
    const { isr } = this;
    this.isr = 0;
    return isr;
  }

  reset(): void {
    this.isr = 0;
  }
}
