/** Feature bits as the formats hold them: words of 64, the lowest first. */

/** Far more than there are: joining words takes a time that grows with the square of their number. */
const MAX_WORDS = 64;

/** @throws RangeError for features from bit 4096 on. */
export function joinedFeatures(words: readonly bigint[]): bigint {
  const beyond = words.findIndex((word, index) => index >= MAX_WORDS && word !== 0n);
  if (beyond >= 0) throw new RangeError(`features from bit ${beyond * 64} on: there are none`);
  return words.slice(0, MAX_WORDS).reduceRight((all, word) => (all << 64n) | word, 0n);
}

/** As many words as it takes, one at least. */
export function featureWords(features: bigint): bigint[] {
  const words: bigint[] = [];
  for (let left = features; left !== 0n || words.length === 0; left >>= 64n) {
    words.push(BigInt.asUintN(64, left));
  }
  return words;
}
