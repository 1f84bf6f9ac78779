/** The requests of a front-end as bytes, and their replies as values, by the tables of the protocol. */
import {
  decodeVhostUserFrontendReplyMessage,
  encodeVhostUserFrontendRequestMessage,
  type VhostUserFrontendRequestPayloadBody,
  type VhostUserFrontendRequestReplyBody,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import { HOST_IS_LITTLE } from "../host.js";

/** A request by its name, with what it carries: `{ case: "vhostUserGetVringBase", value: { index: 0, num: 0 } }`. */
export type Request = VhostUserFrontendRequestPayloadBody;
export type RequestName = Request["case"];

/** What the reply to a request carries. */
export type ReplyValue<R extends Request> = Extract<
  VhostUserFrontendRequestReplyBody,
  { readonly case: R["case"] }
>["value"];

/** What was agreed on, and decides how long some payloads are. */
export interface Agreed {
  readonly features: bigint;
  readonly protocolFeatures: bigint;
}

/** VHOST_USER_GET_FEATURES → vhostUserGetFeatures: numbers by the names of the generated payloads. */
const NUMBERS: ReadonlyMap<string, number> = new Map(
  vhostUserFrontendRequestTable.map(({ name, number }) => [
    name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    Number(number),
  ]),
);

/** Throws RangeError when no request is called so: a mistake of this project. */
export function requestNumber(name: RequestName): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new RangeError(`no request is called ${name}`);
  return number;
}

/** @throws WireError when a value does not fit its field. */
export function encodeRequest(
  body: Request,
  needReply: boolean,
  { features, protocolFeatures }: Agreed,
): Uint8Array {
  const head = { request: requestNumber(body.case), version: 1, reply: 0, needReply: needReply ? 1 : 0 };
  return encodeVhostUserFrontendRequestMessage(
    { ...head, payload: { body } },
    features,
    protocolFeatures,
    HOST_IS_LITTLE,
  );
}

/** @throws WireError when the bytes are no reply to any request. */
export function decodeReply(
  bytes: Uint8Array,
  { features, protocolFeatures }: Agreed,
): VhostUserFrontendRequestReplyBody {
  const message = decodeVhostUserFrontendReplyMessage(bytes, features, protocolFeatures, HOST_IS_LITTLE);
  return message.payload.body;
}
