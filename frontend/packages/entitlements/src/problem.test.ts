import { describe, expect, it } from "vitest";
import { parsePaywallError, paywallProblem } from "./index.js";

const PROBLEM = paywallProblem("ai.chat", "limit_reached", "https://portal.example/pricing");

describe("parsePaywallError", () => {
  it.each([
    ["the document itself", PROBLEM],
    ["the typed result of an action", { ok: false, error: PROBLEM }],
    ["an error that carries it", Object.assign(new Error("402"), { problem: PROBLEM })],
    ["an error caused by it", new Error("failed", { cause: { body: JSON.stringify(PROBLEM) } })],
    ["what Genkit's client throws", new Error(`Server returned: 402: ${JSON.stringify(PROBLEM)}`)],
    ["a body as text", JSON.stringify(PROBLEM)],
  ])("finds it in %s", (_, thrown) => {
    expect(parsePaywallError(thrown)).toMatchObject({ feature: "ai.chat", scenario: "limit_reached" });
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["another error", new Error("Server returned: 500: {oops}")],
    ["another problem", { code: "not_authenticated", feature: "x", offers: [] }],
    ["a number", 402],
    ["text in braces", "{}"],
  ])("finds none in %s", (_, thrown) => {
    expect(parsePaywallError(thrown)).toBeNull();
  });

  it("ends on an error that is its own cause", () => {
    const loop = new Error("loop");
    loop.cause = loop;
    expect(parsePaywallError(loop)).toBeNull();
  });
});
