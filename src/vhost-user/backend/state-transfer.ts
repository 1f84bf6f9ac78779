/** The transfer of the device's state that a front-end has asked for: one at a time, while no virtqueue runs. */
import {
  VhostDeviceStateDirection,
  VhostDeviceStatePhase,
  type VhostUserTransferDeviceState,
} from "../../../generated/vhost-user/messages.js";
import type { Descriptor } from "../system/index.js";
import type { BackendEvent } from "./events.js";
import { Refusal } from "./refusal.js";
import { readState, writeState } from "./state-pipe.js";
import type { VhostUserDevice } from "./vhost-user-device.js";

const { VHOST_TRANSFER_STATE_PHASE_STOPPED } = VhostDeviceStatePhase;
const DIRECTIONS: ReadonlyMap<number, "save" | "load"> = new Map<number, "save" | "load">([
  [VhostDeviceStateDirection.VHOST_TRANSFER_STATE_DIRECTION_SAVE, "save"],
  [VhostDeviceStateDirection.VHOST_TRANSFER_STATE_DIRECTION_LOAD, "load"],
]);

export class StateTransfer {
  private readonly device: VhostUserDevice;
  private readonly onEvent: (event: BackendEvent) => void;
  private latest: Promise<boolean> = Promise.resolve(false);
  private descriptor: Descriptor | undefined;

  constructor(device: VhostUserDevice, onEvent: (event: BackendEvent) => void) {
    this.device = device;
    this.onEvent = onEvent;
  }

  /** Whether all of the latest one went well, once it is over; no when there was none. */
  get isGood(): Promise<boolean> {
    return this.latest;
  }

  /** Nobody waits for its end any more. */
  cancel(): void {
    this.descriptor?.close();
  }

  /** The descriptor is taken over when nothing is thrown. @throws Refusal */
  begin({ direction, phase }: VhostUserTransferDeviceState, descriptor: Descriptor | undefined): void {
    const way = DIRECTIONS.get(direction);
    if (way === undefined || phase !== VHOST_TRANSFER_STATE_PHASE_STOPPED) {
      throw new Refusal(`a transfer in direction ${direction}, phase ${phase}`);
    }
    if (descriptor === undefined) throw new Refusal("no descriptor");
    if (this.descriptor?.isOpen === true) throw new Refusal("another transfer is going on");
    this.checkStopped();
    this.descriptor = descriptor;
    this.latest = (way === "save" ? this.saveTo(descriptor) : this.loadFrom(descriptor)).then(
      () => true,
      (error: Error) => {
        this.onEvent({ kind: "transfer-failed", error });
        return false;
      },
    );
  }

  private checkStopped(): void {
    const running = this.device.vrings.find(({ started }) => started);
    if (running !== undefined) throw new Refusal(`virtqueue ${running.index} is running`);
  }

  private async saveTo(descriptor: Descriptor): Promise<void> {
    const bytes = await writeState(descriptor, this.device.save());
    this.onEvent({ kind: "saved", bytes });
  }

  private async loadFrom(descriptor: Descriptor): Promise<void> {
    const { bytes, state } = await readState(descriptor, this.device.save());
    // The front-end had all the time that it took to write the state.
    this.checkStopped();
    this.device.restore(state);
    this.onEvent({ kind: "loaded", bytes, state });
  }
}
