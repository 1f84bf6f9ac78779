/**
 * The reference device on a UNIX socket: vhost-user, for a real QEMU. Needs Linux and the optional package koffi, which
 * is loaded when the first system call is made.
 */

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
