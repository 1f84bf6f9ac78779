/**
 * Automatic receive steering: frames of a flow are received on the pair of virtqueues on which the driver last sent one of
 * it. A flow is what two IPv4 addresses say to each other; all other frames are one more.
 * @source virtio 1.4, Automatic receive steering in multiqueue mode
 */
import type { FrameHead } from "./frame-head.js";

/** Flows that share a place share a pair: nothing is lost but spread. */
const PLACES = 256;

export class FlowSteering {
  private readonly pairs = new Uint16Array(PLACES);

  sent(head: FrameHead, pair: number): void {
    this.pairs[placeOf(head)] = pair;
  }

  /** Of a frame that is received. */
  pairFor(head: FrameHead): number {
    return this.pairs[placeOf(head)] as number;
  }

  reset(): void {
    this.pairs.fill(0);
  }
}

function placeOf({ flow }: FrameHead): number {
  return (flow ^ (flow >>> 8) ^ (flow >>> 16) ^ (flow >>> 24)) & (PLACES - 1);
}
