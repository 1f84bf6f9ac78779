/** Feature bits as the formats hold them: words of 64, the lowest first. */

export function joinedFeatures(words: readonly bigint[]): bigint {
  return words.reduceRight((all, word) => (all << 64n) | word, 0n);
}

/** As many words as it takes, one at least. */
export function featureWords(features: bigint): bigint[] {
  const words: bigint[] = [];
  for (let left = features; left !== 0n || words.length === 0; left >>= 64n) {
    words.push(BigInt.asUintN(64, left));
  }
  return words;
}
