/**
 * Takes captures out of what they are wrapped in: compressed files, save images of libvirt, snapshots in qcow2 images, one
 * inside the other. Nothing is unpacked before it is asked for, and nothing is kept.
 */
import { LIBVIRT_SAVE_HEADER_SIZE, LibvirtSaveFormat } from "../../../generated/capture/libvirt.js";
import { type Fault, WireError } from "../../runtime/index.js";
import { CONTAINER_MAGIC_SIZE, type ContainerKind, containerKind } from "../../streams/containers/kinds.js";
import { type LibvirtImage, readLibvirtImage } from "../../streams/containers/libvirt.js";
import { Qcow2Image } from "../../streams/containers/qcow2.js";
import { ContainerDamage } from "./damage.js";
import { libvirtFacts, snapshotFacts, type Wrapper } from "./facts.js";
import { Flow } from "./flow.js";
import { chooseSnapshot } from "./snapshot.js";
import { behind, type Source, sourceOf } from "./source.js";

/** A save image whose stream is compressed, compressed as a whole, is deep already. */
const MAX_DEPTH = 4;

/** The library for xz unpacks one file at a time: what is xz inside of xz would wait for ever for the one around it. */
function tooDeep(kind: ContainerKind, { wrappers }: Unwrapping): boolean {
  return (
    wrappers.length === MAX_DEPTH || (kind === "xz" && wrappers.some((wrapper) => wrapper.kind === "xz"))
  );
}
/** Where the stream of a sparse image is looked for behind its data: it is aligned, nobody says to what. */
const SPARSE_SEARCH = 4 << 20;

type Unpack = (source: Source) => AsyncIterable<Uint8Array>;

/** Most captures are not packed: what unpacks is loaded when something is. */
const UNPACK = {
  gzip: async () => (await import("./gzip.js")).gunzip,
  zstd: async () => (await import("./zstd.js")).unzstd,
  xz: async () => (await import("./xz.js")).unxz,
  bzip2: async () => (await import("./bzip2.js")).unbzip2,
  lzop: async () => (await import("./lzop.js")).unlzop,
} as const satisfies Readonly<Record<string, () => Promise<Unpack>>>;

/** What came to light while unwrapping. */
export interface Unwrapping {
  /** Outermost first. Of bytes that only flow, known when the first of them have been read. */
  readonly wrappers: Wrapper[];
  /** A wrapper is damaged: what was in it beyond this cannot be read. */
  damage: Fault | undefined;
  /** Where the stream begins in the file that its own offsets (of mapped-ram) are those of. */
  origin: number;
  /** The qcow2 snapshot that is wanted. */
  readonly snapshot: string | undefined;
}

/** Throws `UsageError` when it is not clear which snapshot is meant. */
export function unwrap(source: Source, state: Unwrapping): Source {
  if (source.read === undefined) return unwrapFlow(source, state);
  try {
    return unwrapFile(source, source.read, state);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    state.damage = error;
    return sourceOf(0, () => new Uint8Array(0));
  }
}

function unwrapFile(source: Source, read: NonNullable<Source["read"]>, state: Unwrapping): Source {
  const kind = containerKind(read(0, CONTAINER_MAGIC_SIZE));
  if (kind === undefined || tooDeep(kind, state)) return source;
  switch (kind) {
    case "gzip":
    case "zstd":
    case "xz":
    case "bzip2":
    case "lzop":
      return unpacked(source, kind, state);
    case "libvirt": {
      const image = readLibvirtImage(read(0, LIBVIRT_SAVE_HEADER_SIZE));
      const data = read(LIBVIRT_SAVE_HEADER_SIZE, image.header.dataLen);
      state.wrappers.push(libvirtFacts(image, data));
      const start = isSparse(image) ? findStream(read, image.dataEnd) : image.dataEnd;
      if (isSparse(image)) state.origin = start;
      return unwrap(behind(source, start), state);
    }
    case "qcow2": {
      const image = new Qcow2Image(read);
      const snapshot = chooseSnapshot(image.snapshots(), state.snapshot);
      state.wrappers.push(snapshotFacts(snapshot));
      return unwrap(sourceOf(snapshot.stateSize, image.state(snapshot)), state);
    }
    default:
      return source;
  }
}

function unwrapFlow(source: Source, state: Unwrapping): Source {
  return {
    size: undefined,
    read: undefined,
    async *chunks() {
      const flow = new Flow(source.chunks());
      try {
        yield* (await insideFlow(flow, state)).chunks();
      } catch (error) {
        if (error instanceof WireError) state.damage = error;
        else if (error instanceof ContainerDamage) state.damage ??= faultOf(error);
        else throw error;
      }
    },
  };
}

async function insideFlow(flow: Flow, state: Unwrapping): Promise<Source> {
  const kind = containerKind(await flow.peek(CONTAINER_MAGIC_SIZE));
  if (kind === undefined || tooDeep(kind, state)) return flow;
  switch (kind) {
    case "gzip":
    case "zstd":
    case "xz":
    case "bzip2":
    case "lzop":
      return unpacked(flow, kind, state);
    case "libvirt": {
      const image = readLibvirtImage(await flow.peek(LIBVIRT_SAVE_HEADER_SIZE));
      const head = await flow.peek(image.dataEnd);
      state.wrappers.push(libvirtFacts(image, head.subarray(LIBVIRT_SAVE_HEADER_SIZE)));
      let start = image.dataEnd;
      if (isSparse(image)) {
        const around = await flow.peek(image.dataEnd + SPARSE_SEARCH);
        start = findStream((at, size) => around.subarray(at, at + size), image.dataEnd);
        state.origin = start;
      }
      return unwrapFlow(behind(flow, start), state);
    }
    // The tables of a qcow2 image point anywhere.
    default:
      return flow;
  }
}

function unpacked(source: Source, kind: keyof typeof UNPACK, state: Unwrapping): Source {
  state.wrappers.push({ kind, facts: [] });
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const unpack = await UNPACK[kind]();
    yield* unpack(source);
  };
  return unwrapFlow({ size: undefined, read: undefined, chunks }, state);
}

function isSparse({ header }: LibvirtImage): boolean {
  return header.format === LibvirtSaveFormat.LIBVIRT_SAVE_FORMAT_SPARSE;
}

/** The first thing behind the data that is no padding. */
function findStream(read: NonNullable<Source["read"]>, dataEnd: number): number {
  const found = read(dataEnd, SPARSE_SEARCH).findIndex((byte) => byte !== 0);
  return dataEnd + Math.max(0, found);
}

function faultOf({ message, container, code, produced }: ContainerDamage): Fault {
  return {
    code,
    path: container,
    offset: produced,
    need: undefined,
    had: undefined,
    detail: message,
    schema: container,
  };
}
