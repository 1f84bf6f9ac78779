import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockPages, type PageState } from "../../../src/streams/index.js";

const PAGE = 4096;
const COUNT = 37;

type Step =
  | { readonly kind: "receive" | "request"; readonly page: number }
  | { readonly kind: "discard"; readonly page: number; readonly pages: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("receive" as const, "request" as const), page: fc.nat(COUNT - 1) }),
  fc.record({ kind: fc.constant("discard" as const), page: fc.nat(COUNT - 1), pages: fc.nat(COUNT) }),
);

/** The same in the plainest way: a list of states. */
function apply(states: PageState[], one: Step): void {
  if (one.kind === "discard") {
    for (let page = one.page; page < Math.min(one.page + one.pages, COUNT); page++)
      if (states[page] === "received") states[page] = "missing";
  } else if (one.kind === "receive") states[one.page] = "received";
  else if (states[one.page] === "missing") states[one.page] = "requested";
}

describe("the pages of a block", () => {
  it("are missing, requested or received as a plain list says", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pages = new BlockPages("pc.ram", COUNT * PAGE - 100, PAGE);
        const states = new Array<PageState>(COUNT).fill("missing");
        for (const one of steps) {
          if (one.kind === "discard") {
            pages.discard(one.page * PAGE, one.pages * PAGE);
          } else if (one.kind === "receive") {
            expect(pages.receive(one.page)).toBe(states[one.page]);
          } else {
            expect(pages.request(one.page)).toBe(states[one.page] === "missing");
          }
          apply(states, one);
          const count = (wanted: PageState): number => states.filter((state) => state === wanted).length;
          expect(states.map((_, page) => pages.state(page))).toEqual(states);
          expect([pages.missing, pages.requested, pages.received]).toEqual([
            count("missing"),
            count("requested"),
            count("received"),
          ]);
          const last = states.lastIndexOf("missing");
          expect(pages.lastMissing()).toBe(last < 0 ? undefined : last);
        }
      }),
      { seed: 4 },
    );
  });

  it("take no page behind the last one", () => {
    const pages = new BlockPages("pc.ram", 3 * PAGE, PAGE);
    pages.receive(3);
    expect(pages.request(3)).toBe(false);
    pages.discard(2 * PAGE, 2 ** 60);
    expect([pages.count, pages.received, pages.requested]).toEqual([3, 0, 0]);
  });
});
