/** What the owner of a group does to a member as a whole. */

/**
 * What a device may do while its group's owner migrates it: the modes of virtio-comment v2 1/8. virtio 1.4 calls Stop
 * "stopped" and has no Freeze.
 */
export type MigrationMode = "active" | "stop" | "freeze";

/** What holds a device up for a while; commands of the owner wait for its end. */
export type Transition = "function-level-reset" | "device-reset" | "power";
