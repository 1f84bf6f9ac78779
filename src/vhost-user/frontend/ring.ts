/** One virtqueue as a front-end sets it up with a back-end: size, place, position, and the three eventfds. */
import { VhostVringFlags } from "../../../generated/vhost/uapi.js";
import type { VhostUserVringBase } from "../../../generated/vhost-user/messages.js";
import type { QueuePlace, QueuePosition } from "../../device/index.js";
import type { Descriptor, System } from "../system/index.js";
import type { Requests } from "./requester.js";
import { userAddress } from "./shared-memory.js";

export class Ring {
  readonly index: number;
  readonly place: QueuePlace;
  /** Signalled when buffers are available. */
  readonly kick: Descriptor;
  /** The back-end signals it when buffers are used. */
  readonly call: Descriptor;
  /** The back-end signals it when the ring is broken. */
  readonly error: Descriptor;
  private readonly requests: Requests;
  private readonly packed: boolean;

  /** The eventfds are there before the ring is: a kick that comes early is not lost. */
  constructor(system: System, requests: Requests, index: number, place: QueuePlace, packed: boolean) {
    this.requests = requests;
    this.index = index;
    this.place = place;
    this.packed = packed;
    this.kick = system.eventfd();
    this.call = system.eventfd();
    this.error = system.eventfd();
  }

  /** @throws RefusedError, DisconnectedError */
  async start(position: QueuePosition, logged: boolean): Promise<void> {
    const { requests, index } = this;
    await requests.tell({ case: "vhostUserSetVringNum", value: { index, num: this.place.size } });
    await requests.tell({ case: "vhostUserSetVringBase", value: this.baseOf(position) });
    await this.tellPlace(logged);
    await requests.tell({ case: "vhostUserSetVringCall", value: { index, nofd: 0 } }, [this.call]);
    await requests.tell({ case: "vhostUserSetVringErr", value: { index, nofd: 0 } }, [this.error]);
    await requests.tell({ case: "vhostUserSetVringKick", value: { index, nofd: 0 } }, [this.kick]);
  }

  async enable(enabled: boolean): Promise<void> {
    const { index } = this;
    await this.requests.tell({ case: "vhostUserSetVringEnable", value: { index, num: enabled ? 1 : 0 } });
  }

  /** Addresses, and whether the used ring is logged: the one thing that may change while the ring runs. */
  async tellPlace(logged: boolean): Promise<void> {
    const { index, place } = this;
    await this.requests.tell({
      case: "vhostUserSetVringAddr",
      value: {
        index,
        flags: logged ? VhostVringFlags.VHOST_VRING_F_LOG : 0,
        descUserAddr: userAddress(place.descriptorArea),
        usedUserAddr: userAddress(place.deviceArea),
        availUserAddr: userAddress(place.driverArea),
        logGuestAddr: BigInt(place.deviceArea),
      },
    });
  }

  /** Stops the ring. Gives where the back-end stands: of a split ring, the used index is in guest memory. */
  async stop(): Promise<QueuePosition> {
    const { index } = this;
    const { split, packed } = await this.requests.ask({
      case: "vhostUserGetVringBase",
      value: { index, num: 0 },
    });
    if (packed !== undefined) {
      return {
        available: packed.availIdx,
        availableWrap: packed.availWrapCounter === 1,
        used: packed.usedIdx,
        usedWrap: packed.usedWrapCounter === 1,
      };
    }
    const available = split?.availIdx ?? 0;
    return { available, used: available, availableWrap: true, usedWrap: true };
  }

  close(): void {
    for (const descriptor of [this.kick, this.call, this.error]) descriptor.close();
  }

  private baseOf({ available, used, availableWrap, usedWrap }: QueuePosition): VhostUserVringBase {
    const { index } = this;
    if (!this.packed) return { split: { index, availIdx: available } };
    return {
      packed: {
        index,
        availIdx: available,
        availWrapCounter: availableWrap ? 1 : 0,
        usedIdx: used,
        usedWrapCounter: usedWrap ? 1 : 0,
      },
    };
  }
}
