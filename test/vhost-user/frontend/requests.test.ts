import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  decodeVhostUserFrontendRequestMessage,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import { encodeRequest, requestNumber } from "../../../src/vhost-user/frontend/requests.js";

interface Line {
  readonly from: string;
  readonly hex: string;
}

describe("requests", () => {
  it("are encoded as QEMU has sent them", () => {
    const text = readFileSync(new URL("../../captures/vhost-user-qsd.jsonl", import.meta.url), "utf8");
    const lines: Line[] = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    const sent = lines.filter(({ from }) => from === "fe").map(({ hex }) => hex);
    const agreed = { features: 0n, protocolFeatures: 0n };
    for (const hex of sent) {
      const { needReply, payload } = decodeVhostUserFrontendRequestMessage(
        Buffer.from(hex, "hex"),
        0n,
        0n,
        true,
      );
      if (payload.body.case === "raw") expect.fail("a request that nobody knows");
      expect(Buffer.from(encodeRequest(payload.body, needReply === 1, agreed)).toString("hex")).toBe(hex);
    }
    expect(sent.length).toBeGreaterThan(40);
  });

  it("have the numbers of the table", () => {
    expect(vhostUserFrontendRequestTable.length).toBe(44);
    expect(requestNumber("vhostUserGetFeatures")).toBe(1);
    expect(requestNumber("vhostUserSetVringKick")).toBe(12);
    expect(requestNumber("vhostUserCheckDeviceState")).toBe(43);
  });
});
