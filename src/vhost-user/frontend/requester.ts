/** Asks and tells: requests by name, with the reply that belongs to each, and acknowledged wherever that was agreed on. */
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { ProtocolError } from "../message-socket.js";
import type { Descriptor } from "../system/index.js";
import { type Connection, RefusedError, type Reply } from "./connection.js";
import type { ReplyValue, Request } from "./requests.js";

export class Requests {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  hasProtocol(feature: bigint): boolean {
    return (this.connection.agreed.protocolFeatures & feature) !== 0n;
  }

  /**
   * What the back-end replies, of a request that has a reply of its own. Descriptors that come along are closed.
   * @throws DisconnectedError
   */
  async ask<R extends Request>(request: R, descriptors: readonly Descriptor[] = []): Promise<ReplyValue<R>> {
    const [value, came] = await this.askForDescriptors(request, descriptors);
    for (const descriptor of came) descriptor.close();
    return value;
  }

  /** The same of one whose reply brings descriptors, which are the caller's to close. */
  async askForDescriptors<R extends Request>(
    request: R,
    descriptors: readonly Descriptor[] = [],
  ): Promise<readonly [ReplyValue<R>, readonly Descriptor[]]> {
    const reply = await this.connection.ask(request, descriptors);
    return [contentOf(request, reply), reply.descriptors];
  }

  /**
   * Tells the back-end something. Once REPLY_ACK is agreed on, it is done when this resolves.
   * @throws RefusedError when the back-end says that it cannot; DisconnectedError
   */
  async tell(request: Request, descriptors: readonly Descriptor[] = []): Promise<void> {
    if (!this.hasProtocol(VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK)) {
      await this.connection.say(request, descriptors);
      return;
    }
    const reply = await this.connection.ask(request, descriptors, true);
    for (const descriptor of reply.descriptors) descriptor.close();
    const acknowledgement = acknowledgementIn(reply);
    if (acknowledgement !== 0n) throw new RefusedError(request.case, acknowledgement);
  }
}

function contentOf<R extends Request>(request: R, { body }: Reply): ReplyValue<R> {
  if (body.case !== request.case) throw new ProtocolError(`the reply to ${request.case} is none`);
  return body.value as ReplyValue<R>;
}

/** 0 is success; what replies with something else where an acknowledgement was asked for has not refused. */
function acknowledgementIn({ body }: Reply): bigint {
  const { value } = body;
  if (value === undefined || value instanceof Uint8Array) return 0n;
  if ("value" in value) return value.value;
  return "reply" in value && value.reply.case === "acknowledgement" ? value.reply.value.value : 0n;
}
