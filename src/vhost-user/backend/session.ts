/**
 * One connection of a front-end: its messages, one after the other, and what each of them does to the device. The message
 * table says what belongs to a message; what a message that does not keep to it brings is closed, and so is the
 * connection.
 */
import {
  decodeVhostUserFrontendRequestPayload,
  encodeVhostUserFrontendRequestReply,
  encodeVhostUserHeader,
  encodeVhostUserU64,
  VHOST_USER_HEADER_SIZE,
  type VhostUserFrontendRequestPayloadBody,
  type VhostUserFrontendRequestReplyBody,
  VhostUserProtocolFeature,
  vhostUserFrontendRequestDescriptors,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import type { DeviceType } from "../../device/index.js";
import { type MessageRow, WireError } from "../../runtime/index.js";
import { HOST_IS_LITTLE } from "../host.js";
import { MessageSocket, ProtocolError, type SocketMessage } from "../message-socket.js";
import { protocolFeatureBit } from "../protocol-features.js";
import { type Descriptor, type System, SystemCallError, type UnixSocket } from "../system/index.js";
import type { BackendEvent } from "./events.js";
import { Refusal } from "./refusal.js";
import { type Answer, RequestHandler } from "./requests.js";

const ROWS: ReadonlyMap<number, MessageRow> = new Map(
  vhostUserFrontendRequestTable.map((row) => [Number(row.number), row]),
);

/** Requests that wait while one takes its time. A front-end waits for replies, so there are few. */
const MAX_WAITING = 256;

const { VHOST_USER_PROTOCOL_F_REPLY_ACK } = VhostUserProtocolFeature;

export interface SessionOptions {
  /** Features that are not offered although the device could. */
  readonly without?: bigint | undefined;
  /** The same of protocol features. */
  readonly withoutProtocol?: bigint | undefined;
  readonly onEvent?: ((event: BackendEvent) => void) | undefined;
}

export class Session {
  /** Resolves when the connection is over and everything of it is closed; why, if it is not the front-end's wish. */
  readonly ended: Promise<Error | undefined>;
  private readonly socket: MessageSocket;
  private readonly system: System;
  private readonly handler: RequestHandler;
  private readonly onEvent: (event: BackendEvent) => void;
  private readonly waiting: SocketMessage[] = [];
  private handling: Promise<void> = Promise.resolve();
  private isHandling = false;
  /** A reply waits for room, perhaps for ever. */
  private isSending = false;
  private isOver = false;
  private resolve: (error: Error | undefined) => void = () => {};

  /** `system` is the connection's own, and is closed with it. */
  constructor(socket: UnixSocket, system: System, type: DeviceType, options: SessionOptions = {}) {
    this.system = system;
    this.onEvent = options.onEvent ?? (() => {});
    this.handler = new RequestHandler(type, system, options);
    this.ended = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.socket = new MessageSocket(socket, {
      message: (message) => this.received(message),
      ended: (error) => this.end(error),
    });
  }

  /** Ends the connection. What the device has taken is given back before. */
  close(): Promise<Error | undefined> {
    this.end(undefined);
    return this.ended;
  }

  private received(message: SocketMessage): void {
    if (this.waiting.length >= MAX_WAITING) {
      for (const descriptor of message.descriptors) descriptor.close();
      this.end(new ProtocolError(`more than ${MAX_WAITING} requests at once`));
      return;
    }
    this.waiting.push(message);
    if (!this.isHandling) this.handling = this.handleWaiting();
  }

  private async handleWaiting(): Promise<void> {
    this.isHandling = true;
    for (let next = this.waiting.shift(); next !== undefined && !this.isOver; next = this.waiting.shift()) {
      // What is not taken over is closed, whatever happens.
      const descriptors = [...next.descriptors];
      try {
        await this.handle(next, descriptors);
      } catch (error) {
        this.end(error instanceof Error ? error : new Error(String(error)));
      } finally {
        for (const descriptor of descriptors) descriptor.close();
      }
    }
    this.isHandling = false;
  }

  private async handle(message: SocketMessage, descriptors: Descriptor[]): Promise<void> {
    const { request, needReply } = message.header;
    const { handler } = this;
    const asked = needReply === 1 && handler.hasProtocol(VHOST_USER_PROTOCOL_F_REPLY_ACK);
    const row = ROWS.get(request);
    if (row === undefined) {
      if (!asked) throw new ProtocolError(`there is no request ${request}`);
      await this.acknowledge(request, 1n);
      return;
    }
    const body = this.bodyOf(message, row);
    let answer: Answer;
    try {
      answer = await handler.handle(body, descriptors);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.onEvent({ kind: "refused", name: row.name, error });
      const refused = handler.refusalOf(body);
      if (refused !== undefined) await this.reply(request, refused);
      else if (row.acknowledged && asked) await this.acknowledge(request, 1n);
      // A front-end that cannot be told would go on as if all was well.
      else throw error;
      return;
    }
    this.onEvent({ kind: "request", name: row.name });
    if (answer !== undefined) {
      await this.reply(request, answer.body, answer.descriptor).finally(() => answer.descriptor?.close());
    } else if (row.acknowledged && (asked || this.alwaysReplies(row))) await this.acknowledge(request, 0n);
  }

  /** @throws ProtocolError when the message is not as its row says. */
  private bodyOf(
    { header, bytes, descriptors }: SocketMessage,
    row: MessageRow,
  ): VhostUserFrontendRequestPayloadBody {
    const { handler } = this;
    for (const name of row.needs) {
      const bit = protocolFeatureBit(name);
      // VHOST_USER_F_PROTOCOL_FEATURES has to be offered only; the virtio features that are needed are not.
      const isThere =
        bit === undefined ? name === "VHOST_USER_F_PROTOCOL_FEATURES" : handler.hasProtocol(bit);
      if (!isThere) throw new ProtocolError(`${row.name} without ${name}`);
    }
    try {
      const payload = decodeVhostUserFrontendRequestPayload(
        bytes.subarray(VHOST_USER_HEADER_SIZE),
        header.request,
        handler.features,
        handler.protocolFeatures,
        HOST_IS_LITTLE,
      );
      const [least, most] = vhostUserFrontendRequestDescriptors(payload);
      if (descriptors.length < least || descriptors.length > most) {
        throw new ProtocolError(`${row.name} with ${descriptors.length} descriptors`);
      }
      return payload.body;
    } catch (error) {
      if (error instanceof WireError) throw new ProtocolError(`${row.name}: ${error.message}`, error);
      throw error;
    }
  }

  private alwaysReplies({ repliesWith }: MessageRow): boolean {
    return (
      repliesWith.length > 0 &&
      repliesWith.every((name) => this.handler.hasProtocol(protocolFeatureBit(name) ?? 0n))
    );
  }

  private acknowledge(request: number, value: bigint): Promise<void> {
    return this.send(request, encodeVhostUserU64({ value }, HOST_IS_LITTLE));
  }

  private reply(
    request: number,
    body: VhostUserFrontendRequestReplyBody,
    descriptor?: Descriptor | undefined,
  ): Promise<void> {
    const { features, protocolFeatures } = this.handler;
    const payload = encodeVhostUserFrontendRequestReply(
      { body },
      request,
      features,
      protocolFeatures,
      HOST_IS_LITTLE,
    );
    return this.send(request, payload, descriptor);
  }

  private async send(request: number, payload: Uint8Array, descriptor?: Descriptor): Promise<void> {
    const head = { request, version: 1, reply: 1, needReply: 0, size: payload.length };
    const header = encodeVhostUserHeader(head, HOST_IS_LITTLE);
    const bytes = new Uint8Array(header.length + payload.length);
    bytes.set(header);
    bytes.set(payload, header.length);
    this.isSending = true;
    await this.socket.send(bytes, descriptor === undefined ? [] : [descriptor]);
    this.isSending = false;
  }

  private end(error: Error | undefined): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const { descriptors } of this.waiting.splice(0)) for (const one of descriptors) one.close();
    this.finish(error).then(this.resolve, this.resolve);
  }

  private async finish(error: Error | undefined): Promise<Error | undefined> {
    // What waits for a descriptor, such as the end of a state, waits no longer.
    this.handler.cancel();
    if (this.isSending) this.socket.close();
    await this.handling;
    await this.handler.close();
    this.socket.close();
    this.system.close();
    return error;
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Refusal || error instanceof RangeError || error instanceof SystemCallError;
}
