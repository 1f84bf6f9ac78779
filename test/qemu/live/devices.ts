/** QEMU's options for devices whose back-ends are elsewhere. */

export interface DeviceOptions {
  /** Names it on the command line. */
  readonly id: string;
  /** Where its back-end listens. */
  readonly socket: string;
  /** Of the device, e.g. "packed=on,event_idx=off". */
  readonly properties?: string;
  /** QEMU connects again when the back-end goes. */
  readonly reconnects?: true;
}

/** `pairs`: of virtqueues. */
export function nic({ pairs = 1, ...device }: DeviceOptions & { readonly pairs?: number }): string[] {
  const { id, properties } = device;
  const queues = pairs === 1 ? "" : `,queues=${pairs}`;
  // A vector for each virtqueue, one for the control virtqueue, one for changes of the configuration.
  const many = pairs === 1 ? "" : `,mq=on,vectors=${2 * pairs + 2}`;
  return [
    ...["-chardev", chardev(device), "-netdev", `vhost-user,id=${id}.net,chardev=${id}.socket${queues}`],
    ...["-device", `virtio-net-pci,netdev=${id}.net,id=${id}${many}${more(properties)}`],
  ];
}

export function disk({ queues = 1, ...device }: DeviceOptions & { readonly queues?: number }): string[] {
  const { id, properties } = device;
  return [
    ...["-chardev", chardev(device)],
    ...[
      "-device",
      `vhost-user-blk-pci,chardev=${id}.socket,id=${id},num-queues=${queues}${more(properties)}`,
    ],
  ];
}

function chardev({ id, socket, reconnects }: DeviceOptions): string {
  return `socket,id=${id}.socket,path=${socket}${reconnects ? ",reconnect-ms=100" : ""}`;
}

function more(properties = ""): string {
  return properties === "" ? "" : `,${properties}`;
}
