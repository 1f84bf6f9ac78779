/** The messages of a hostile front-end: sound ones, spoilt in values, bytes or descriptors every few. */
import { openSync } from "node:fs";
import { encodeRequest, type Request } from "../../../src/vhost-user/frontend/requests.js";
import { Descriptor, type System, type UnixSocket } from "../../../src/vhost-user/index.js";
import type { Draw } from "./draw.js";
import { type HostileRing, scribblePacked, scribbleSplit } from "./rings.js";

const PAGE = 4096;
const USER = 0x7f00_0000_0000n;
const RING_SIZE = 16;
/** Where buffers are: beside what nobody may touch, so that a device that is a page off writes there. */
const DATA = 0;
const DATA_PAGES = 2;
/** VERSION_1, F_PROTOCOL_FEATURES, EVENT_IDX, INDIRECT_DESC; RING_PACKED. */
const FEATURES = (1n << 32n) | (1n << 30n) | (1n << 29n) | (1n << 28n);
const PACKED = 1n << 34n;

/** A request with its descriptors. */
type Said = readonly [request: Request, descriptors?: readonly Descriptor[]];

export interface HostileMemory {
  readonly descriptor: Descriptor;
  /** What is shared: guest addresses from 0 on. */
  readonly shared: DataView;
  /** Where it lies in the file. */
  readonly offset: number;
  readonly protocolFeatures: bigint;
}

export class HostileTalk {
  private readonly system: System;
  private readonly socket: UnixSocket;
  private readonly draw: Draw;
  private readonly memory: HostileMemory;
  private readonly packed: boolean;
  /** How many messages it takes until one is spoilt: a device that is never let through to its rings shows little. */
  private readonly patience: number;
  private readonly kicks: Descriptor[] = [];

  constructor(system: System, socket: UnixSocket, draw: Draw, memory: HostileMemory) {
    this.system = system;
    this.socket = socket;
    this.draw = draw;
    this.memory = memory;
    this.packed = draw.once(3);
    this.patience = draw.of([25, 200, 1000, 1000]);
  }

  begin(): void {
    const { memory, draw } = this;
    const features = this.agreed().features;
    this.say({ case: "vhostUserGetFeatures", value: undefined });
    this.say({ case: "vhostUserGetProtocolFeatures", value: undefined });
    const { protocolFeatures } = memory;
    this.say({ case: "vhostUserSetProtocolFeatures", value: { protocolFeatures } });
    this.say({ case: "vhostUserSetOwner", value: undefined });
    this.say({ case: "vhostUserSetFeatures", value: { features } });
    if (draw.once(6)) this.say(...this.anyRegion());
    this.say(this.goodRegion(), [memory.descriptor]);
    if (draw.once(4)) this.say(...this.anyInflight(this.inflightMemory()));
  }

  startRing(index: number): void {
    const { draw, system } = this;
    const ring = this.ringAt(index);
    const num = draw.once(20) ? Number(draw.absurd(32)) : ring.size;
    this.say({ case: "vhostUserSetVringNum", value: { index, num } });
    const availIdx = draw.once(12) ? draw.below(65536) : 0;
    const base = this.packed
      ? {
          packed: {
            index,
            availIdx: availIdx & 0x7fff,
            availWrapCounter: 1,
            usedIdx: draw.once(4) ? draw.below(32768) : 0,
            usedWrapCounter: 1,
          },
        }
      : { split: { index, availIdx } };
    this.say({ case: "vhostUserSetVringBase", value: base });
    const at = (place: number): bigint =>
      draw.once(40) ? draw.absurd(64) : USER + BigInt(place) + (draw.once(60) ? 1n : 0n);
    const addresses = {
      descUserAddr: at(ring.descriptors),
      availUserAddr: at(ring.driver),
      usedUserAddr: at(ring.device),
    };
    const logGuestAddr = draw.once(4) ? draw.absurd(64) : BigInt(ring.device);
    this.say({
      case: "vhostUserSetVringAddr",
      value: { index, flags: draw.below(2), ...addresses, logGuestAddr },
    });
    const kick = system.eventfd();
    this.kicks[index] = kick;
    this.say({ case: "vhostUserSetVringCall", value: { index, nofd: 0 } }, [
      draw.once(8) ? this.anyDescriptor() : system.eventfd(),
    ]);
    this.say({ case: "vhostUserSetVringKick", value: { index, nofd: 0 } }, [
      draw.once(8) ? this.anyDescriptor() : kick,
    ]);
    this.say({ case: "vhostUserSetVringEnable", value: { index, num: 1 } });
    this.scribble(index);
    this.kick(index);
  }

  /** Any request, at a time that suits nobody. */
  sayAnything(): void {
    const { draw } = this;
    const index = draw.once(4) ? Number(draw.absurd(32)) : draw.below(4);
    const ring = { index, num: draw.once(2) ? draw.below(2) : Number(draw.absurd(32)) };
    const log = {
      mmapSize: draw.once(2) ? 4096n : draw.absurd(64),
      mmapOffset: draw.once(2) ? 0n : draw.absurd(64),
    };
    const config = {
      offset: Number(draw.absurd(32)),
      flags: draw.below(3),
      region: draw.bytes(draw.below(257)),
    };
    const transfer = { direction: draw.below(3), phase: draw.below(2) };
    const file = this.anyDescriptor();
    const requests: readonly Said[] = [
      [{ case: "vhostUserGetVringBase", value: ring }],
      [{ case: "vhostUserSetVringEnable", value: ring }],
      [{ case: "vhostUserSetVringNum", value: ring }],
      [{ case: "vhostUserSetVringKick", value: { index: index & 255, nofd: 0 } }, [file]],
      [{ case: "vhostUserSetVringErr", value: { index: index & 255, nofd: 0 } }, [file]],
      [
        { case: "vhostUserSetLogBase", value: { base: { case: "log", value: log } } },
        [draw.once(2) ? this.system.memfd("log", PAGE) : file],
      ],
      [{ case: "vhostUserSetLogFd", value: undefined }, [file]],
      [
        {
          case: "vhostUserSetFeatures",
          value: { features: draw.once(2) ? this.agreed().features | (1n << 26n) : draw.absurd(64) },
        },
      ],
      this.anyRegion(),
      [this.goodRegion(), [this.memory.descriptor]],
      [{ case: "vhostUserRemMemReg", value: { region: this.region(0n) } }],
      [{ case: "vhostUserSetMemTable", value: { regions: [] } }],
      [{ case: "vhostUserGetConfig", value: config }],
      [{ case: "vhostUserSetConfig", value: config }],
      [{ case: "vhostUserSetStatus", value: { status: draw.absurd(64) } }],
      [{ case: "vhostUserResetDevice", value: undefined }],
      [{ case: "vhostUserResetOwner", value: undefined }],
      [{ case: "vhostUserSetBackendReqFd", value: undefined }, [file]],
      [{ case: "vhostUserSetDeviceStateFd", value: transfer }, [this.statePipe(transfer.direction)]],
      [{ case: "vhostUserCheckDeviceState", value: undefined }],
      this.anyInflight(this.inflightMemory()),
      [{ case: "vhostUserSendRarp", value: { mac: draw.bytes(6) } }],
    ];
    this.say(...draw.of(requests));
  }

  sayNoise(): void {
    this.socket.send(this.draw.bytes(1 + this.draw.below(40)));
  }

  scribble(index: number): void {
    const scribble = this.packed ? scribblePacked : scribbleSplit;
    scribble(this.memory.shared, this.ringAt(index), DATA, this.draw);
  }

  /** One word of a ring, while the device may be reading it. */
  change(index: number): void {
    const { draw, memory } = this;
    const ring = this.ringAt(index);
    const area = draw.of([ring.descriptors, ring.driver, ring.device]);
    memory.shared.setUint16(area + draw.below(RING_SIZE * 8) * 2, draw.below(65536), true);
  }

  kick(index: number): void {
    this.kicks[index]?.signal();
  }

  /** Sends a request, spoilt once in a while, and reads what has come back meanwhile. */
  private say(request: Request, descriptors: readonly Descriptor[] = []): void {
    const { draw, socket } = this;
    const bytes = encodeRequest(request, draw.once(2), this.agreed());
    const spoilt = draw.once(this.patience) ? this.spoil(bytes) : bytes;
    const passed = draw.once(this.patience)
      ? Array.from({ length: draw.below(40) }, () => this.anyDescriptor())
      : descriptors;
    socket.send(spoilt, passed);
    for (let answer = socket.receive(4096); answer !== undefined; answer = socket.receive(4096)) {
      for (const descriptor of answer.descriptors) descriptor.close();
      if (answer.bytes.length === 0) break;
    }
  }

  private spoil(bytes: Uint8Array): Uint8Array {
    const { draw } = this;
    const copy = bytes.slice();
    const head = new DataView(copy.buffer);
    switch (draw.below(5)) {
      case 0: // A length that is not that of the payload.
        head.setUint32(8, Number(draw.absurd(32)), true);
        return copy;
      case 1: // A payload that is shorter than the request's.
        head.setUint32(8, Math.max(0, copy.length - 12 - 4), true);
        return copy.subarray(0, Math.max(12, copy.length - 4));
      case 2:
        head.setUint32(0, Number(draw.absurd(32)), true);
        return copy;
      case 3:
        head.setUint32(4, draw.below(16), true);
        return copy;
      default:
        copy[draw.below(copy.length)] = draw.below(256);
        return copy;
    }
  }

  private agreed(): { features: bigint; protocolFeatures: bigint } {
    const { protocolFeatures } = this.memory;
    return { features: FEATURES | (this.packed ? PACKED : 0n), protocolFeatures };
  }

  private ringAt(index: number): HostileRing {
    const at = (DATA_PAGES + index * 3) * PAGE;
    return { size: RING_SIZE, descriptors: at, driver: at + PAGE, device: at + 2 * PAGE };
  }

  private region(guestPhysAddr: bigint) {
    const { shared, offset } = this.memory;
    const memorySize = BigInt(shared.byteLength);
    return { guestPhysAddr, memorySize, userspaceAddr: USER + guestPhysAddr, mmapOffset: BigInt(offset) };
  }

  private goodRegion(): Request {
    return { case: "vhostUserAddMemReg", value: { region: this.region(0n) } };
  }

  private anyRegion(): Said {
    const { draw } = this;
    const pick = (usual: bigint): bigint => (draw.once(4) ? draw.absurd(64) : usual);
    const region = {
      guestPhysAddr: pick(0x10_0000n),
      memorySize: pick(4096n),
      userspaceAddr: pick(USER + 0x10_0000n),
      mmapOffset: pick(0n),
    };
    if (draw.once(2)) return [{ case: "vhostUserAddMemReg", value: { region } }, [this.anyDescriptor()]];
    const regions = Array.from({ length: draw.below(9) }, () => region);
    return [{ case: "vhostUserSetMemTable", value: { regions } }, regions.map(() => this.anyDescriptor())];
  }

  private anyInflight(file: Descriptor): Said {
    const { draw } = this;
    const value = {
      mmapSize: draw.once(2) ? 4096n : draw.absurd(64),
      mmapOffset: draw.once(2) ? 0n : draw.absurd(64),
      numQueues: draw.once(2) ? 4 : Number(draw.absurd(16)),
      queueSize: draw.once(2) ? RING_SIZE : Number(draw.absurd(16)),
      tail: { case: "padding", value: new Uint8Array(4) } as const,
    };
    if (draw.once(3)) return [{ case: "vhostUserGetInflightFd", value }];
    return [{ case: "vhostUserSetInflightFd", value }, [file]];
  }

  /** Memory of a predecessor that never was, with whatever in it. */
  private inflightMemory(): Descriptor {
    const { draw, system } = this;
    if (draw.once(4)) return this.anyDescriptor();
    const descriptor = system.memfd("inflight", PAGE);
    const mapping = system.map(descriptor, 0, PAGE);
    if (draw.once(2)) mapping.bytes.set(draw.bytes(PAGE));
    mapping.close();
    return descriptor;
  }

  /** A pipe whose other end says nothing, or the wrong thing, or too much, or is closed. */
  private statePipe(direction: number): Descriptor {
    const { draw } = this;
    const [reading, writing] = this.system.pipe();
    const [theirs, ours] = direction === 0 ? [writing, reading] : [reading, writing];
    if (direction !== 0 && draw.once(2)) ours.write(draw.bytes(1 + draw.below(5000)));
    if (draw.once(2)) ours.close();
    return theirs;
  }

  /** Anything but what was asked for. */
  private anyDescriptor(): Descriptor {
    const { draw, system } = this;
    switch (draw.below(8)) {
      case 0:
        return system.own(new Descriptor(system, openSync("/dev/null", "r+")));
      case 1:
        return system.own(new Descriptor(system, openSync("/", "r")));
      case 2:
        return system.pipe()[draw.below(2) === 0 ? 0 : 1];
      case 3:
        return system.socketPair()[0];
      case 4:
        return system.memfd("empty", 0);
      case 5:
        // More than there is memory for, and more than one ArrayBuffer holds.
        return system.memfd("sparse", 2 ** draw.of([12, 33, 40]));
      case 6:
        return system.own(new Descriptor(system, openSync("/proc/self/status", "r")));
      default:
        return system.eventfd(draw.below(2));
    }
  }
}
