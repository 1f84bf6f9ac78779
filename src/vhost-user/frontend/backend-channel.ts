/** The second socket: requests of the back-end, which the front-end answers. */
import {
  decodeVhostUserBackendRequestMessage,
  encodeVhostUserBackendReplyMessage,
  VhostUserBackendRequest,
} from "../../../generated/vhost-user/messages.js";
import { WireError } from "../../runtime/index.js";
import { HOST_IS_LITTLE } from "../host.js";
import { MessageSocket, type SocketMessage } from "../message-socket.js";
import type { Descriptor, System } from "../system/index.js";

export interface BackendListener {
  /** The device's configuration has changed. */
  configChanged(): void;
}

const DONE = 0n;
/** Anything but 0 is a failure; this is what libvhost-user and rust-vmm send. */
const NOT_DONE = 1n;

export class BackendChannel {
  /** For the back-end: close it once it was sent. */
  readonly theirs: Descriptor;
  private readonly messages: MessageSocket;
  private readonly listener: BackendListener;

  constructor(system: System, listener: BackendListener) {
    const [ours, theirs] = system.socketPair();
    theirs.setBlocking();
    this.theirs = theirs;
    this.listener = listener;
    this.messages = new MessageSocket(ours, {
      message: (message) => this.take(message),
      // The back-end may do without; if it is gone, the first socket tells.
      ended: () => {},
    });
  }

  close(): void {
    this.messages.close();
    this.theirs.close();
  }

  private take({ header, bytes, descriptors }: SocketMessage): void {
    // No request that brings one is done here.
    for (const descriptor of descriptors) descriptor.close();
    const value = this.act(bytes) ? DONE : NOT_DONE;
    if (header.needReply === 0) return;
    const name = CASES.get(header.request);
    if (name === undefined) return;
    const head = { request: header.request, version: 1, reply: 1, needReply: 0 };
    const payload = { body: { case: name, value: { value } } };
    const reply = encodeVhostUserBackendReplyMessage({ ...head, payload }, HOST_IS_LITTLE);
    this.messages.send(reply).catch(() => this.messages.close());
  }

  /** Whether it was done. */
  private act(bytes: Uint8Array): boolean {
    try {
      const { body } = decodeVhostUserBackendRequestMessage(bytes, HOST_IS_LITTLE).payload;
      if (body.case !== "vhostUserBackendConfigChangeMsg") return false;
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
    this.listener.configChanged();
    return true;
  }
}

type Acknowledged =
  | "vhostUserBackendIotlbMsg"
  | "vhostUserBackendConfigChangeMsg"
  | "vhostUserBackendVringHostNotifierMsg";

/** Requests whose reply is an acknowledgement and nothing else. */
const CASES: ReadonlyMap<number, Acknowledged> = new Map<number, Acknowledged>([
  [VhostUserBackendRequest.VHOST_USER_BACKEND_IOTLB_MSG, "vhostUserBackendIotlbMsg"],
  [VhostUserBackendRequest.VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, "vhostUserBackendConfigChangeMsg"],
  [
    VhostUserBackendRequest.VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG,
    "vhostUserBackendVringHostNotifierMsg",
  ],
]);
