import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { featureTables } from "../../src/inspect/features.js";
import { sectionOf, setFlags } from "../../src/inspect/flags.js";
import { virtwire } from "../cli/harness.js";

const NET = featureTables(VirtioDeviceId.VIRTIO_ID_NET);

interface FlagRow {
  readonly bit: number;
  readonly name?: string;
  readonly source?: string;
}

async function flagsIn(capture: string, path: string): Promise<FlagRow[][]> {
  const file = fileURLToPath(new URL(`../captures/${capture}`, import.meta.url));
  const { out } = await virtwire(["get", file, path, "--format", "json"]);
  const leaves: readonly { readonly flags?: FlagRow[] }[] = JSON.parse(out);
  return leaves.flatMap(({ flags }) => (flags === undefined || flags.length === 0 ? [] : [flags]));
}

describe("the flags of a mask", () => {
  it("are numbered as the specification does, whatever word of the mask the field holds", () => {
    // linux/virtio_net.h: HOST_UDP_TUNNEL_GSO is 67, MQ is 22; linux/virtio_config.h: VERSION_1 is 32.
    expect(setFlags(8, { ...NET, first: 64 })).toMatchObject([
      {
        bit: 67,
        name: "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO",
        source: expect.stringMatching(/^virtio 1\.4, 5\.1\.3 /),
      },
    ]);
    expect(setFlags(1, { ...NET, first: 32 })).toMatchObject([{ bit: 32, name: "VIRTIO_F_VERSION_1" }]);
    expect(setFlags((1n << 67n) | (1n << 22n), NET).map(({ bit }) => bit)).toEqual([22]);
  });

  it("include those that have no name", () => {
    expect(setFlags(0x410, NET)).toEqual([
      { bit: 4, name: undefined, source: undefined },
      { bit: 10, name: "VIRTIO_NET_F_GUEST_UFO", source: expect.any(String) },
    ]);
    expect(setFlags(0, NET)).toEqual([]);
  });

  it("have a short form of their section", () => {
    expect(sectionOf("virtio 1.4, 5.1.3.2 Legacy Interface: Feature bits (x.tex)")).toBe(
      "virtio 1.4, 5.1.3.2",
    );
    expect(sectionOf("QEMU 10.0.2, docs/interop/vhost-user.rst, Multiple queue support")).toBe(
      "vhost-user.rst, Multiple queue support",
    );
    expect(sectionOf("linux/vhost_types.h")).toBe("vhost_types.h");
    expect(sectionOf("QEMU 10.0.2, migration/ram.c, migration/ram.h")).toBe("ram.c");
    expect(sectionOf(undefined)).toBe("");
  });
});

describe("masks in captures", () => {
  it("say of each feature of a virtio device what it is called and where it is defined", async () => {
    const masks = await flagsIn("x86-q35-return-path.bin", "**.guest_features");
    expect(masks.length).toBeGreaterThan(2);
    for (const { name, source } of masks.flat()) {
      expect(name).toMatch(/^VIRTIO_/);
      expect(source).toMatch(/^virtio 1\.4, (?:5\.\d+\.3|6) /);
    }
  });

  it("say it of the features of vhost-user's protocol, too", async () => {
    const masks = await flagsIn("vhost-user-qsd.jsonl", "messages[*].payload.protocol_features");
    expect(masks[0]?.[0]).toEqual({
      bit: 0,
      name: "VHOST_USER_PROTOCOL_F_MQ",
      source: "QEMU 10.0.2, docs/interop/vhost-user.rst, Multiple queue support",
    });
    for (const { source } of masks.flat()) expect(source).toMatch(/vhost-user\.rst, \S/);
  });

  it("say it in the summary", async () => {
    const file = fileURLToPath(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url));
    const { out } = await virtwire(["inspect", file, "--format", "json", "--device", "blk"]);
    const { summary } = JSON.parse(out) as { summary: { features: string[]; features_flags: FlagRow[] } };
    expect(summary.features_flags.map(({ name }) => name).sort()).toEqual([...summary.features].sort());
    expect(summary.features_flags.every(({ source }) => source !== undefined)).toBe(true);
  });
});
