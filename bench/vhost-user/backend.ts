/** Our back-end as the benchmark runs it, in a process of its own: `backend.ts blk|net SOCKET`. */
import { BlkDevice, NetDevice, Responder } from "../../src/device/index.js";
import { VhostUserServer } from "../../src/vhost-user/index.js";
import { BACKEND_ADDRESS, BACKEND_MAC, DISK_BYTES, FRONTEND_MAC, QUEUE_SIZE } from "./setup.js";

const [, , kind, path = ""] = process.argv;
await VhostUserServer.start(
  kind === "net"
    ? new NetDevice({
        mac: FRONTEND_MAC,
        withoutControl: true,
        queueSize: QUEUE_SIZE,
        link: new Responder({ address: BACKEND_ADDRESS, mac: BACKEND_MAC }),
      })
    : new BlkDevice({ disk: new Uint8Array(DISK_BYTES), queueSize: QUEUE_SIZE, depth: 64 }),
  path,
);
// By itself a signal would end it without a profile.
process.once("SIGTERM", () => process.exit());
