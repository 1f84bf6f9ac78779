/** What both processes of the benchmark agree on. */

export const FRONTEND_MAC: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 1);
export const BACKEND_MAC: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 2);
/** 10.0.0.1 and 10.0.0.2. */
export const BACKEND_ADDRESS = 0x0a000001;
export const FRONTEND_ADDRESS = 0x0a000002;

export const QUEUE_SIZE = 256;
/** Guest memory, from address 0. */
export const MEMORY_BYTES: number = 8 << 20;
export const DISK_BYTES: number = 16 << 20;
