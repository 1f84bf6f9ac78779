/** Feature bits as the formats hold them: words of 64, the lowest first. */

export function joinedFeatures(words: readonly bigint[]): bigint {
  return words.reduceRight((all, word) => (all << 64n) | word, 0n);
}
