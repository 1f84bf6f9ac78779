/** The device that hostile front-ends talk to, in a process of its own: `target.ts blk|net SOCKET`. */
import { BlkDevice, NetDevice, Responder } from "../../../src/device/index.js";
import { VhostUserServer } from "../../../src/vhost-user/index.js";

const [, , kind, path = ""] = process.argv;
const device =
  kind === "net"
    ? new NetDevice({
        mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
        pairs: 2,
        withoutControl: true,
        link: new Responder({ address: 0x0a000001, mac: Uint8Array.of(2, 0, 0, 0, 0, 2) }),
      })
    : new BlkDevice({ disk: new Uint8Array(64 * 512), queues: 4, queueSize: 64, depth: 4 });
await VhostUserServer.start(device, path);
process.stdout.write("listening\n");
