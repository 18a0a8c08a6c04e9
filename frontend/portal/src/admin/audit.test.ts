import { expect, test } from "vitest";
import { differences } from "./AuditPage.js";

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
