/** What vhost-user takes from the machine that it runs on: both sides share it, so numbers are in its byte order. */

export const HOST_IS_LITTLE: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
