/** What a capture may be wrapped in, told by its first bytes. */

/** Names as people use them. */
export type ContainerKind = "gzip" | "zstd" | "xz" | "bzip2" | "lzop" | "libvirt" | "qcow2";

const MAGICS: readonly { readonly kind: ContainerKind; readonly magic: readonly number[] }[] = [
  { kind: "gzip", magic: [0x1f, 0x8b, 0x08] },
  { kind: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { kind: "bzip2", magic: ascii("BZh") },
  { kind: "lzop", magic: [0x89, ...ascii("LZO")] },
  { kind: "libvirt", magic: ascii("LibvirtQemudSave") },
  { kind: "libvirt", magic: ascii("LibvirtQemudPart") },
  { kind: "qcow2", magic: [...ascii("QFI"), 0xfb] },
];

/** As many bytes as the longest magic number has. */
export const CONTAINER_MAGIC_SIZE = 16;

/** Undefined when it is none. */
export function containerKind(prefix: Uint8Array): ContainerKind | undefined {
  return MAGICS.find(({ magic }) => magic.every((byte, i) => prefix[i] === byte))?.kind;
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
