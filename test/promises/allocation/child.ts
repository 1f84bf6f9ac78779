/**
 * What allocation.test.ts runs in a process of its own, with a young generation that is never collected meanwhile: prints
 * for each piece of work how many bytes a call leaves on the heap, once the engine has compiled it.
 */

import {
  checkMemoryTableAsNumber,
  checkQueueConfigs,
  checkTwelveWords,
  decodeTwelveWords,
  encodeMemoryTableAsNumber,
  encodeQueueConfigs,
  encodeTwelveWords,
  MemoryRegionAsNumberView,
  TwelveWordsView,
} from "../../../bench/generated/messages.js";
import { VhostVringAddrView } from "../../../generated/vhost/uapi.js";
import {
  checkVhostUserFrontendRequestMessage,
  encodeVhostUserFrontendRequestMessage,
  VhostUserConfigView,
  VhostUserFrontendRequest,
} from "../../../generated/vhost-user/messages.js";
import { Reader } from "../../../src/runtime/index.js";

const words = encodeTwelveWords({
  a: 1,
  b: 2,
  c: 3,
  d: 4,
  e: 5,
  f: 6,
  g: 7,
  h: 8,
  i: 9,
  j: 10,
  k: 11,
  l: 12,
});
const region = { guestAddress: 2 ** 40, size: 2 ** 33, userAddress: 2 ** 46 + 4096, mmapOffset: 2 ** 35 };
const table = encodeMemoryTableAsNumber({
  request: 5,
  flags: 1,
  regions: Array.from({ length: 8 }, () => region),
});
const queues = encodeQueueConfigs({
  queues: Array.from({ length: 100 }, (_, i) => ({ vqIndex: i, queueSize: 256, queueMsixVector: i })),
});
const setConfig = encodeVhostUserFrontendRequestMessage(
  {
    request: VhostUserFrontendRequest.VHOST_USER_SET_CONFIG,
    version: 1,
    reply: 0,
    needReply: 0,
    payload: {
      body: { case: "vhostUserSetConfig", value: { offset: 0, flags: 1, region: new Uint8Array(60) } },
    },
  },
  0n,
  0n,
  true,
);

/** Calls `check` on the same bytes over and over: the reader is made once. */
function checking(bytes: Uint8Array, check: (reader: Reader) => unknown): () => boolean {
  const reader = new Reader(bytes);
  return () => check(reader.rewind(0, bytes.length, 0)) === undefined;
}

const wordsView = new TwelveWordsView(words);
const regionView = new MemoryRegionAsNumberView(table, 20);
const configView = new VhostUserConfigView(setConfig, 12, true);
const addrView = new VhostVringAddrView(new Uint8Array(80), 40, true);

const work: Readonly<Record<string, () => boolean>> = {
  checkTwelveWords: checking(words, checkTwelveWords),
  checkMemoryTableAsNumber: checking(table, checkMemoryTableAsNumber),
  checkQueueConfigs: checking(queues, checkQueueConfigs),
  checkVhostUserFrontendRequestMessage: checking(setConfig, (reader) =>
    checkVhostUserFrontendRequestMessage(reader, 0n, 0n, true),
  ),
  "TwelveWordsView, moved and read": () => wordsView.moveTo(0).a + wordsView.l === 13,
  "TwelveWordsView, written": () => {
    wordsView.b = wordsView.c;
    return true;
  },
  MemoryRegionAsNumberView: () =>
    regionView.guestAddress < regionView.userAddress && regionView.size !== regionView.mmapOffset,
  VhostUserConfigView: () => configView.moveTo(12).size + configView.flags === 61,
  VhostVringAddrView: () => addrView.moveTo(0).index === addrView.flags,
};

/** What does allocate, so that a measurement that sees nothing is seen to be wrong. */
const decodeReader = new Reader(words);
let decoded: unknown;
const control = (): boolean => {
  decoded = decodeTwelveWords(decodeReader.rewind(0, words.length, 0));
  return decoded !== undefined;
};

const CALLS = 100_000;

function bytesPerCall(one: () => boolean): number {
  let least = Number.POSITIVE_INFINITY;
  // The first rounds are interpreted, and a compiler that is still at it allocates as well.
  for (let round = 0; round < 8; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) if (!one()) throw new Error("the work went wrong");
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / CALLS);
  }
  return least;
}

const all = Object.entries({ ...work, decodeTwelveWords: control });
const measured = Object.fromEntries(all.map(([name, one]) => [name, bytesPerCall(one)]));
process.stdout.write(JSON.stringify(measured));
