/**
 * The operating system: sockets that carry descriptors, shared memory, eventfds, and waiting for them in Node's event
 * loop. Nothing outside of this folder makes a system call or touches koffi, which is loaded by the first `openSystem`.
 *
 *     const system = await openSystem();            // owns all that it gives out
 *     const socket = system.connect("/run/vu.sock"); // or system.listen(path) and accept(owner)
 *     const memory = system.memfd("guest", size);
 *     const mapping = system.map(memory, 0, size);   // mapping.windows: Uint8Arrays of at most 4 GiB
 *     const kick = system.eventfd();
 *     await socket.sendAll(message, [memory, kick]); // descriptors go with the first byte
 *     socket.watch("readable", () => socket.receive(12));
 *     system.close();                                // system.open is 0 now
 *
 * Everything that is made here is non-blocking: `undefined` is "not yet". A descriptor that arrives is what its sender
 * has made it: `setNonBlocking` first. Each `watch`ed descriptor keeps the process alive.
 */
export { Descriptor, type Watched } from "./descriptor.js";
export { NoSystemCallsError, SystemCallError } from "./errors.js";
export { Mapping, type Window } from "./mapping.js";
export { type Arrival, UnixListener, UnixSocket } from "./socket.js";
export { openSystem, System } from "./system.js";
