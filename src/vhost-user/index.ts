/**
 * The reference device on a UNIX socket: vhost-user, for a real QEMU; and a front-end for any back-end. Needs Linux and
 * the optional package koffi, which is loaded when the first system call is made.
 */

export type { BackendEvent } from "./backend/events.js";
export { Session, type SessionOptions } from "./backend/session.js";
export { FileDisk } from "./blk/file-disk.js";
export { type BusOptions, FrontendBus } from "./frontend/bus.js";
export { DisconnectedError, RefusedError } from "./frontend/connection.js";
export { type FrontendOptions, type InflightMemory, VhostUserFrontend } from "./frontend/frontend.js";
export type { Ring } from "./frontend/ring.js";
export { type MemoryRange, SharedMemory } from "./frontend/shared-memory.js";
export { ProtocolError } from "./message-socket.js";
export { FrameRecorder } from "./net/frame-recorder.js";
export { type ServerEvent, type ServerOptions, VhostUserServer } from "./server.js";
export {
  type Arrival,
  Descriptor,
  Mapping,
  NoSystemCallsError,
  openSystem,
  System,
  SystemCallError,
  UnixListener,
  UnixSocket,
  type Watched,
  type Window,
} from "./system/index.js";
export type { TapRecord } from "./tap/session.js";
export { Tap, type TapHandler } from "./tap/tap.js";
