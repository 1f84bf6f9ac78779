/** The fields of what is said in a vhost-user conversation: messages, and states of back-ends. */
import {
  walkVhostUserBackendRequestPayload,
  walkVhostUserBackendRequestReply,
  walkVhostUserFrontendRequestPayload,
  walkVhostUserFrontendRequestReply,
  walkVhostUserHeader,
} from "../../../generated/vhost-user/messages.js";
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Reader } from "../../runtime/index.js";
import { backendFormat, type VhostUserMessage } from "../../streams/index.js";
import { featureMeaning } from "../features.js";
import { type Node, TreeBuilder } from "../node.js";

/** What a message is called, also where its number stands for no request. */
export function nameOf({ row, header }: VhostUserMessage): string {
  return row?.name ?? `request ${header.request}`;
}

/** Of a message, with its header. */
export function fieldsOf(message: VhostUserMessage, device: VirtioDeviceId): readonly Node[] {
  const { channel, isReply, negotiated, row, header, body, fault } = message;
  const { features, protocolFeatures, littleEndian } = negotiated;
  const tree = new TreeBuilder(message.at, featureMeaning(device));
  const reader = new Reader(message.bytes);
  walkVhostUserHeader(reader, tree, littleEndian);
  // What postcopy puts in the place of a region is no fault, and has no layout of its own.
  if (row !== undefined && body === undefined && fault === undefined) return tree.roots;
  const { request } = header;
  if (channel === "backend") {
    const walk = isReply ? walkVhostUserBackendRequestReply : walkVhostUserBackendRequestPayload;
    walk(reader, tree, request, littleEndian);
  } else {
    const walk = isReply ? walkVhostUserFrontendRequestReply : walkVhostUserFrontendRequestPayload;
    walk(reader, tree, request, features, protocolFeatures, littleEndian);
  }
  // The case of a message is named as its request is, which differs from message to message: no path could be written.
  return tree.roots.map((node) => (node.children === undefined ? node : { ...node, name: "payload" }));
}

export interface StateFields {
  /** The name of the struct in its schema; undefined when no format that is known fits. */
  readonly type: string | undefined;
  readonly fields: readonly Node[] | undefined;
}

export const NOTHING_KNOWN: StateFields = { type: undefined, fields: undefined };

/** Of the back-end's own state: its offsets count from its first byte. */
export function stateFields(bytes: Uint8Array, device: VirtioDeviceId): StateFields {
  const reader = new Reader(bytes);
  const format = backendFormat(reader, device);
  if (format === undefined) return NOTHING_KNOWN;
  const tree = new TreeBuilder(0, featureMeaning(device));
  format.walk(reader, tree);
  return { type: format.type, fields: tree.roots };
}
