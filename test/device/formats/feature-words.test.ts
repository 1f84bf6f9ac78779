import { describe, expect, it } from "vitest";
import { featureWords, joinedFeatures } from "../../../src/device/formats/feature-words.js";
import { StateReader } from "../../../src/device/index.js";
import { WireError } from "../../../src/runtime/index.js";
import { bytes, le } from "../../streams/wire-bytes.js";

const ALL = 2n ** 64n - 1n;

describe("feature words", () => {
  it("are the same number the other way", () => {
    for (const features of [0n, 1n, ALL, ALL << 64n, 1n << 4095n]) {
      expect(joinedFeatures(featureWords(features))).toBe(features);
    }
  });

  it("may have any number of zeros behind them", () => {
    expect(joinedFeatures([3n, ...new Array<bigint>(1 << 20).fill(0n)])).toBe(3n);
  });

  it("are refused beyond all features that there are, before they are joined", () => {
    const words = new Array<bigint>(1 << 20).fill(ALL);
    expect(() => joinedFeatures(words)).toThrow(RangeError);
    expect(() => joinedFeatures(words.slice(0, 65))).toThrow("features from bit 4096 on");
  });
});

describe("a context with a mebibyte of features", () => {
  it("is damaged, and says where", () => {
    // virtio_dev_ctx: le32 field_count; one field: le16 type (DEV_FEATURES), 6 reserved bytes, le64 length, value.
    const size = 1 << 20;
    const reader = new StateReader("device-context", 2);
    reader.push(bytes(le(4, 1), le(2, 1), [0, 0, 0, 0, 0, 0], le(8, size)));
    reader.push(new Uint8Array(size).fill(0xff));
    const thrown = (() => {
      try {
        return reader.end();
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(WireError);
    expect(thrown).toMatchObject({ code: "constraint", path: "fields[0]", offset: 4 });
  });
});
