import { beforeAll, describe, expect, it } from "vitest";
import { hex } from "../bytes.js";
import { type Loaded, loadSchema } from "../load.js";

const schema = `module t native;
flags protocol : u64 { REPLY_ACK = 1 << 3, DEVICE_STATE = 1 << 19 }
struct region { u64 address; }
struct memory { u32 nregions; region regions[nregions]; }
messages frontend : u32 {
  1 GET_FEATURES () -> (u64 features);
  5 SET_MEM_TABLE (memory) fds(payload.nregions) ack;
  6 SET_LOG_BASE () ack always(REPLY_ACK, DEVICE_STATE);
  42 SET_STATE_FD (u32 phase) -> (u64 result) fds(1) reply_fds(0 .. 1) needs(DEVICE_STATE, REPLY_ACK);
}
commands admin : le16 {
  7 MODE_GET () output (le16 more) -> (u8 mode);
  8 MODE_SET (u8 mode);
}
`;

describe("tables", () => {
  let module: Loaded;
  beforeAll(async () => {
    module = await loadSchema(schema);
  });

  it("say what goes with each message", () => {
    expect(module["frontendTable"]).toEqual([
      {
        number: 1,
        name: "GET_FEATURES",
        payload: undefined,
        reply: "get_features_reply",
        replies: true,
        acknowledged: false,
        repliesWith: [],
        fds: undefined,
        replyFds: undefined,
        needs: [],
      },
      {
        number: 5,
        name: "SET_MEM_TABLE",
        payload: "memory",
        reply: undefined,
        replies: false,
        acknowledged: true,
        repliesWith: [],
        fds: [0, 0xffff_ffff],
        replyFds: undefined,
        needs: [],
      },
      {
        number: 6,
        name: "SET_LOG_BASE",
        payload: undefined,
        reply: undefined,
        replies: false,
        acknowledged: true,
        repliesWith: ["REPLY_ACK", "DEVICE_STATE"],
        fds: undefined,
        replyFds: undefined,
        needs: [],
      },
      {
        number: 42,
        name: "SET_STATE_FD",
        payload: "set_state_fd_payload",
        reply: "set_state_fd_reply",
        replies: true,
        acknowledged: false,
        repliesWith: [],
        fds: [1, 1],
        replyFds: [0, 1],
        needs: ["DEVICE_STATE", "REPLY_ACK"],
      },
    ]);
  });

  it("say what goes with each command", () => {
    expect(module["adminTable"]).toMatchObject([
      {
        number: 7,
        name: "MODE_GET",
        payload: undefined,
        output: "mode_get_output",
        reply: "mode_get_result",
      },
      { number: 8, name: "MODE_SET", payload: "mode_set_data", output: undefined, reply: undefined },
    ]);
  });

  it("decode a payload by its number, and keep one of an unknown number", () => {
    const { decodeFrontendPayload } = module;
    expect(decodeFrontendPayload(hex(""), 1, true)).toEqual({
      body: { case: "getFeatures", value: undefined },
    });
    const memory = { case: "setMemTable", value: { regions: [{ address: 7n }] } };
    expect(decodeFrontendPayload(hex("01000000 0700000000000000"), 5, true)).toEqual({ body: memory });
    expect(decodeFrontendPayload(hex("00000001 0000000000000007"), 5, false)).toEqual({ body: memory });
    expect(decodeFrontendPayload(hex("abcd"), 99, true)).toEqual({
      body: { case: "raw", value: hex("abcd") },
    });
  });

  it("count the descriptors that come with a message", () => {
    const { decodeFrontendPayload, frontendDescriptors } = module;
    const regions = hex(`03000000 ${"00".repeat(24)}`);
    expect(frontendDescriptors(decodeFrontendPayload(regions, 5, true))).toEqual([3, 3]);
    expect(frontendDescriptors(decodeFrontendPayload(hex("00000000"), 42, true))).toEqual([1, 1]);
    expect(frontendDescriptors(decodeFrontendPayload(hex(""), 1, true))).toEqual([0, 0]);
  });
});

describe("meanings", () => {
  let module: Loaded;
  beforeAll(async () => {
    module = await loadSchema(`module t little;
      enum type : le16 { A = 0, B = 7, RESERVED = 0x10 .. 0x1f }
      enum wide : le64 { HUGE = 0xfedcba9876543210 }
      closed enum mode : u8 { ACTIVE = 0, STOP = 1, PRIVATE = 0xf0 .. 0xff }
      closed enum sparse : u8 { ONE = 1, FOUR = 4 }
      flags access : le32 { READ = 1, WRITE = 2, TOP = 1 << 31, FIELD = 3 << 4 }
      flags more : le32 extends access { EXEC = 4 }
      enum odd : u8 { __proto__ = 1, constructor = 2 }
      const LIMIT = 64; const HUGE_LIMIT = 0xffffffffffffffff;`);
  });

  it("name the members of an enum", () => {
    const { typeName, wideName, Type, Wide, LIMIT, HUGE_LIMIT } = module;
    expect([0, 7, 0x0f, 0x10, 0x1f, 0x20, 7n].map((value) => typeName(value))).toEqual([
      "A",
      "B",
      undefined,
      "RESERVED",
      "RESERVED",
      undefined,
      "B",
    ]);
    expect(wideName(0xfedc_ba98_7654_3210n)).toBe("HUGE");
    expect(Type).toEqual({ A: 0, B: 7, RESERVED: 0x10 });
    expect(Wide).toEqual({ HUGE: 0xfedc_ba98_7654_3210n });
    expect([LIMIT, HUGE_LIMIT]).toEqual([64, 0xffff_ffff_ffff_ffffn]);
  });

  it("know the members of a closed enum", () => {
    const { isMode, isSparse } = module;
    expect([0, 1, 2, 0xef, 0xf0, 0xff].map((value) => isMode(value))).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ]);
    expect([0, 1, 2, 3, 4, 5].map((value) => isSparse(value))).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  it("list flags, and what is left over in hexadecimal", () => {
    const { accessNames, moreNames } = module;
    expect(accessNames(0)).toEqual([]);
    expect(accessNames(0x8000_0001)).toEqual(["READ", "TOP"]);
    expect(accessNames(0x1_0030_0010)).toEqual(["0x100300010"]);
    expect(accessNames(0x30n)).toEqual(["FIELD"]);
    expect(moreNames(5)).toEqual(["READ", "EXEC"]);
  });

  it("have no member that is not written", () => {
    const { Odd } = module;
    expect(Object.getPrototypeOf(Odd)).toBe(Object.prototype);
    expect(Object.keys(Odd)).toEqual(["__proto__$", "constructor$"]);
  });
});
