import { expect, test } from "vitest";
import { differences, readably } from "./AuditPage.js";

test("a change is told field by field, and what stayed or is ours alone is not", () => {
  const before = { "grant#g_1": { record: "grant#g_1", reason: "a gift", features: '{"ai.chat":true}', account_version: 3 } };
  const after = { "grant#g_1": { record: "grant#g_1", reason: "a gift", features: '{"ai.chat":false}', account_version: 4, revoked_at: 9 } };
  expect(differences(before, after)).toEqual([
    { path: "grant#g_1 › features › ai.chat", before: "true", after: "false" },
    { path: "grant#g_1 › revoked_at", before: null, after: "9" },
  ]);
});

test("what is new or gone is told whole, and lists as they are", () => {
  expect(differences({}, { plan: { price_cents: 900 } })).toEqual([{ path: "plan › price_cents", before: null, after: "900" }]);
  expect(differences({ plan: { price_cents: 900 } }, {})).toEqual([{ path: "plan › price_cents", before: "900", after: null }]);
  expect(differences({}, ["stripe#evt_1"])).toEqual([{ path: "", before: null, after: '["stripe#evt_1"]' }]);
});

test("a moment is shown as a time and an amount as money; all else as it is stored", () => {
  const shown = readably("USD", "en-US");
  expect(shown("plan › price_cents", "900")).toBe("$9.00");
  expect(shown("grant#g_1 › revoked_at", "1790000000")).toMatch(/2026/);
  expect(shown("plan › rank", "10")).toBe("10");
  expect(shown("plan › name", "Pro")).toBe("Pro");
  expect(shown("plan › price_cents", null)).toBe("–");
  expect(readably(null, "en-US")("price_cents", "900")).toBe("900");
});
