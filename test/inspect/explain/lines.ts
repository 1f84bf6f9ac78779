/**
 * A line for each known message, as QEMU, libvirt and virtiofsd print it. Where a public report has the line, it is that
 * one (the comment says which); the others are the formats of the source with values filled in, behind the prefixes that
 * QEMU gives them.
 */
export const LINES: Readonly<Record<string, string>> = {
  // qemu-devel, 2022-11-30, <Y4cgQnMooD3/ffv5@work-vm>
  "section-type": "qemu-system-x86_64: Unknown savevm section type 126",
  // Launchpad 1869426
  "section-unknown":
    "qemu-system-x86_64: Unknown savevm section or instance 'serial' 1. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
  "section-id-unknown": "qemu-system-x86_64: Unknown savevm section 7",
  "section-version": "qemu-system-x86_64: savevm: unsupported version 3 for '0000:00:02.0/virtio-blk' v2",
  // QEMU issue 932
  "footer-missing": "qemu-system-x86_64: Missing section footer for 0000:00:01.3/piix4_pm",
  "footer-mismatched": "qemu-system-x86_64: Mismatched section id in footer for ram - read 0x3 expected 0x2",
  // vitastor issue 132
  "footer-unreadable": "kvm: check_section_footer: Read section footer failed: -5",
  "device-failed":
    "2025-11-07T10:00:00.000000Z qemu-system-x86_64: error while loading state for instance 0x0 of device '0000:00:03.0/virtio-net'",
  "section-failed": "qemu-kvm: error while loading state section id 2(ram)",
  "footer-failed": "qemu-system-x86_64: Section footer error, section_id: 38",
  "live-section-failed": "qemu-system-x86_64: Failed to load vmstate version_id: 4, ret: -5",
  "section-id-unreadable": "qemu-system-x86_64: Failed to read section ID: -5",
  "stream-error": "qemu-system-x86_64: loadvm failed: stream error: -5",
  "element-failed": "qemu-system-x86_64: Failed to load element of type pci config for config",
  "hook-failed":
    "qemu-system-x86_64: post load hook failed for: configuration/uuid, version_id: 1, minimum_version: 1, ret: -22",
  "subsection-unknown":
    "qemu-system-x86_64: VM subsection 'virtio/128bit_features' in 'virtio' does not exist",
  "subsection-failed":
    "qemu-system-x86_64: Loading VM subsection 'configuration/uuid' in 'configuration' failed: ",
  "not-a-stream": "qemu-system-x86_64: Not a migration stream",
  "stream-version": "qemu-system-x86_64: Unsupported migration stream version",
  "configuration-missing": "qemu-system-x86_64: Configuration section missing",
  "machine-type": "qemu-system-x86_64: Machine type received is 'pc-q35-10.0' and local is 'pc-q35-9.2'",
  "page-bits": "qemu-system-aarch64: Received TARGET_PAGE_BITS is 12 but local is 16",
  capability: "qemu-system-x86_64: Capability mapped-ram is off, but received capability is on",
  "capability-unknown": "qemu-system-x86_64: Received unknown capability mapped-ram",
  uuid: "qemu-system-x86_64: UUID received is 1b4e28ba-2fa1-11d2-883f-0016d3cca427 and local is 1b4e28ba-2fa1-11d2-883f-0016d3cca428",
  "command-unknown": "qemu-system-x86_64: MIG_CMD 0xb unknown (len 0x0)",
  "command-length": "qemu-system-x86_64: PING received with bad length - expecting 4, got 8",
  "name-unreadable": "qemu-system-x86_64: Unable to read ID string for section 36",
  "description-expected": "qemu-system-x86_64: Expected vmdescription section, but got 0",
  unmigratable: "Error: State blocked by non-migratable device '0000:00:1f.2/ich9_ahci'",
  "load-failed": "qemu-system-x86_64: load of migration failed: Operation not permitted",
  "state-too-new":
    "qemu-system-x86_64: virtio-net-device: incoming version_id 12 is too new for local version_id 11",
  "state-too-old": "qemu-system-x86_64: cpu: incoming version_id 2 is too old for local minimum version_id 3",
  // kubevirt issue 16386
  "field-failed": "qemu-kvm: Failed to load virtio-net:virtio",
  "field-invalid": "qemu-system-x86_64: Input validation failed: i440FX/acpi_pci_hotplug",
  "not-equal": "qemu-system-x86_64: 4 != 8",
  "not-less-or-equal": "qemu-system-x86_64: Invalid value 2048 expecting positive value <= 1024",
  "null-marker": "qemu-system-x86_64: vmstate: get_nullptr expected VMS_NULLPTR_MARKER",
  "list-failed": "qemu-system-x86_64: requests: failed to load scsi-request (-22)",
  // kubevirt issue 16386
  "virtio-features": "qemu-kvm: Features 0x1c0010130afffaf unsupported. Allowed features: 0x10179bfffef",
  // Launchpad 1761798
  "virtio-queue-index":
    "2018-04-06T12:05:38.000000Z qemu-system-x86_64: VQ 0 size 0x80 Guest index 0x12c inconsistent with Host index 0x134: delta 0xfff8",
  "virtio-queue-inuse": "qemu-system-x86_64: VQ 2 size 0x80 < last_avail_idx 0x5 - used_idx 0xff00",
  "virtio-queue-address": "qemu-system-x86_64: VQ 1 address 0x0 inconsistent with Host index 0x100",
  "virtio-queue-count": "qemu-system-x86_64: Invalid number of virtqueues: 0x1000000",
  "net-vnet-header": "qemu-system-x86_64: virtio-net: saved image requires vnet_hdr=on",
  "net-ufo": "qemu-system-x86_64: virtio-net: saved image requires TUN_F_UFO support",
  "net-queue-pairs": "qemu-system-x86_64: virtio-net: curr_queue_pairs 4 > max_queue_pairs 1",
  "blk-request-queue": "qemu-system-x86_64: Invalid virtqueue index in request list: 0x3",
  "scsi-request": "qemu-system-x86_64: invalid SCSI request migration data",
  "mem-property": "qemu-system-x86_64: Property 'memaddr' changed from 0x140000000 to 0x240000000",
  "mem-size": "qemu-system-x86_64: Property 'memdev' size changed from 0x80000000 to 0x40000000",
  "pci-config":
    "qemu-system-x86_64: get_pci_config_device: Bad config data: i=0x9a read: 3 device: 6 cmask: ff wmask: 0 w1cmask:0",
  "block-unknown": 'qemu-system-x86_64: Unknown ramblock "mem1", cannot accept migration',
  "block-size": "qemu-system-x86_64: Size mismatch: pc.bios: 0x40000 != 0x20000: Invalid argument",
  "block-too-large":
    "qemu-system-x86_64: Size too large: /rom@etc/acpi/tables: 0x220000 > 0x200000: Invalid argument",
  "block-page-size": "qemu-system-x86_64: Mismatched RAM page size pc.ram (local) 2097152 != 4096",
  "block-address": "qemu-system-x86_64: Mismatched GPAs for block mem0 4294967296!= 0",
  "block-not-migrated": "qemu-system-x86_64: block ivshmem should not be migrated !",
  "block-not-found": "qemu-system-x86_64: Can't find block pc.rom",
  "page-without-block": "qemu-system-x86_64: Ack, bad migration stream!",
  "page-offset": "qemu-system-x86_64: Illegal RAM offset 7265746e6f632000",
  "page-flags": "qemu-system-x86_64: Unknown combination of migration flags: 0x200",
  "page-flags-unexpected": "qemu-system-x86_64: Unexpected RAM flags: 8",
  "page-not-zero": "qemu-system-x86_64: Found a zero page with value 112",
  "page-xbzrle": "qemu-system-x86_64: Failed to decompress XBZRLE page at 1fe000",
  "page-unreadable": "qemu-system-x86_64: Getting RAM address failed",
  "postcopy-advise-state": "qemu-system-x86_64: CMD_POSTCOPY_ADVISE in wrong postcopy state (1)",
  "postcopy-listen-state": "qemu-system-x86_64: CMD_POSTCOPY_LISTEN in wrong postcopy state (0)",
  "postcopy-run-state": "qemu-system-x86_64: CMD_POSTCOPY_RUN in wrong postcopy state (1)",
  "postcopy-advise-empty": "qemu-system-x86_64: RAM postcopy is enabled but have 0 byte advise",
  "postcopy-advise-full": "qemu-system-x86_64: RAM postcopy is disabled but have 16 byte advise",
  "postcopy-host-pages": "qemu-system-x86_64: Postcopy needs matching RAM page sizes (s=201000 d=1000)",
  "postcopy-target-pages": "qemu-system-aarch64: Postcopy needs matching target page sizes (s=4096 d=65536)",
  "postcopy-userfault": "qemu-system-x86_64: Userfaultfd not available: Operation not permitted",
  "postcopy-paused": "qemu-system-x86_64: Detected IO failure for postcopy. Migration paused.",
  "return-path-error": "qemu-system-x86_64: Sibling indicated error 1",
  "return-path-message": "qemu-system-x86_64: Received invalid message 0x4e40 length 0x0000",
  "page-request-block": "qemu-system-x86_64: MIG_RP_MSG_REQ_PAGES has no block 'mem1'",
  "package-size": "qemu-system-x86_64: Unreasonably large packaged state: 4294967295",
  "bitmap-node": "qemu-system-x86_64: Error: Unknown node alias 'drive0'",
  "bitmap-exists": "qemu-system-x86_64: Bitmap with the same name ('backup') already exists on destination",
  "multifd-magic": "qemu-system-x86_64: multifd: received packet magic 5145564d expected 11223344",
  "multifd-packet-magic": "qemu-system-x86_64: multifd: received packet magic 0, expected 11223344",
  "multifd-version": "qemu-system-x86_64: multifd: received packet version 2 expected 1",
  "multifd-uuid":
    "qemu-system-x86_64: multifd: received uuid '1b4e28ba-2fa1-11d2-883f-0016d3cca427' and expected uuid '00000000-0000-0000-0000-000000000000' for channel 0",
  "multifd-channels":
    "qemu-system-x86_64: multifd: received channel id 4 is greater than number of channels 2",
  "multifd-block": "qemu-system-x86_64: multifd: unknown ram block mem1",
  "multifd-flags": "qemu-system-x86_64: multifd 0: flags received 4 flags expected 0",
  "vfio-unsupported": "Error: 0000:3b:00.2: VFIO migration is not supported in kernel",
  "vfio-disabled": "Error: 0000:3b:00.2: Migration is disabled for VFIO device",
  "vfio-dirty-tracking": "Error: 0000:3b:00.2: VFIO device doesn't support device and IOMMU dirty tracking",
  "vfio-viommu": "Error: 0000:3b:00.2: Migration is currently not supported with vIOMMU enabled",
  "vfio-postcopy": "Error: 0000:3b:00.2: VFIO migration is not supported with postcopy migration",
  "vfio-multiple":
    "Error: Multiple VFIO devices migration is supported only if all of them support P2P migration",
  "vfio-config": "qemu-system-x86_64: 0000:3b:00.2: Failed to load device config space",
  "vfio-config-end":
    "qemu-system-x86_64: 0000:3b:00.2: Failed loading device config space, end flag incorrect 0xffffffffef100004",
  "vfio-setup-end": "qemu-system-x86_64: 0000:3b:00.2: SETUP STATE: EOS not found 0xffffffffef100004",
  "vfio-tag": "qemu-system-x86_64: 0000:3b:00.2: Unknown tag 0xffffffffef100006",
  "vfio-channel":
    "qemu-system-x86_64: 0000:3b:00.2: got DEV_CONFIG_STATE in main migration channel but doing multifd transfer",
  "vhost-log": "Error: Migration disabled: vhost lacks VHOST_F_LOG_ALL feature.",
  "vhost-log-memory":
    "Error: Migration disabled: vhost-user backend lacks VHOST_USER_PROTOCOL_F_LOG_SHMFD feature.",
  "vhost-postcopy": "Error: vhost-user backend not capable of postcopy",
  "back-end-state-save":
    'qemu-kvm: Error saving back-end state of vhost-user-fs device /machine/peripheral/fs0/virtio-backend (tag: "myfs"): ',
  "back-end-state-load":
    'qemu-kvm: Error loading back-end state of vhost-user-fs device /machine/peripheral/fs0/virtio-backend (tag: "myfs"): ',
  // tp-qemu pull request 4196
  "back-end-state-failed": "Back-end failed to process its internal state",
  "back-end-state-unsupported":
    'qemu-kvm: Back-end of vhost-user-fs device /machine/peripheral/fs0/virtio-backend (tag: "myfs") does not support migration through qemu',
  "vhost-state-unsupported": "qemu-kvm: vhost transport does not support migration state transfer",
  "back-end-state-missing":
    "qemu-system-x86_64: Failed to initiate state transfer: Back-end does not support migration state transfer",
  "back-end-state-refused":
    "qemu-system-x86_64: Failed to initiate state transfer: Back-end did not accept migration state transfer",
  "back-end-state-receive": "qemu-system-x86_64: Failed to receive state: Connection reset by peer",
  "back-end-state-send": "qemu-system-x86_64: Failed to send state: Broken pipe",
  "back-end-check-send": "qemu-system-x86_64: Failed to send CHECK_DEVICE_STATE message: Broken pipe",
  "back-end-check-receive":
    "qemu-system-x86_64: Failed to receive CHECK_DEVICE_STATE reply: Resource temporarily unavailable",
  "back-end-state-closed": "qemu-kvm: Failed to send state: Connection is closed",
  "vhost-user-header": "qemu: Failed to read msg header. Read -1 instead of 12. Original request 11.",
  "vhost-user-reply": "qemu-system-x86_64: Received unexpected msg type. Expected 11 received 1",
  "vhost-ring-restore": "qemu: vhost VQ 1 ring restore failed: -22: Invalid argument (22)",
  "vhost-ring-moved": "qemu-system-x86_64: used ring relocated for ring 0",
  "virtiofsd-start":
    "[2025-03-01T10:00:00Z ERROR virtiofsd::vhost_user] Failed to initiate state (de-)serialization: Transfer in phase STOPPED is not supported",
  "virtiofsd-failed":
    "[2025-03-01T10:00:00Z ERROR virtiofsd::vhost_user] Migration failed: Unknown mount ID 23",
  "virtiofsd-save": "[2025-03-01T10:00:00Z ERROR virtiofsd] Failed to save state: Broken pipe (os error 32)",
  "virtiofsd-load": "[2025-03-01T10:00:00Z ERROR virtiofsd] Failed to load state: Unknown mount ID 23",
  "virtiofsd-not-prepared":
    "[2025-03-01T10:00:00Z WARN  virtiofsd::vhost_user] Front-end did not announce migration to begin, so we failed to prepare for it; collecting data now.  If you are doing a snapshot, that is OK; otherwise, migration downtime may be prolonged.",
  "virtiofsd-writeback": "Migration source wants writeback enabled, but it is disabled on the destination",
  "virtiofsd-submounts":
    "Migration source wants announce-submounts enabled, but it is disabled on the destination",
  "virtiofsd-acl": "Migration source wants posix ACLs enabled, but it is disabled on the destination",
  "virtiofsd-other-inode": "Inode 5 is not the same inode as in the migration source: file handles differ",
  "virtiofsd-lost-inode": "Migration source has lost inode 17",
  "virtiofsd-invalid-inode":
    "[2025-03-01T10:00:00Z WARN  virtiofsd::passthrough] Invalid inode 17 indexed: No such file or directory (os error 2)",
  "virtiofsd-references": "Unresolved references between serialized inodes",
};
