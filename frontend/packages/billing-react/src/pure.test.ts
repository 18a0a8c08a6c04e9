import { expect, expectTypeOf, test } from "vitest";
import { csv } from "./csv.js";
import { daysUntil, limitOf, money, yearlySaving } from "./format.js";
import { translator } from "./i18n.js";
import { de } from "./messages/de.js";
import { es } from "./messages/es.js";
import { en } from "./messages/en.js";
import { offersOf, planAt } from "./offers.js";
import { plans } from "./testing/fixtures.js";
import type { Schemas } from "@bitsleuth/billing-api-client";
import { parsePaywallError, type PaywallProblem } from "@bitsleuth/entitlements";

test.each([
  [1999, "USD", "en", "$19.99"],
  [1900, "USD", "en", "$19.00"],
  [500, "JPY", "en", "¥500"],
  [1234, "KWD", "en", "KWD 1.234"],
  [1999, "EUR", "de", "19,99 €"],
])("%d %s in %s reads %s", (minor, currency, locale, text) => {
  expect(money(minor, currency, locale).replace(/\u00a0/g, " ")).toBe(text);
});

test("whole amounts lose their decimals only where asked", () => {
  expect(money(1900, "USD", "en", { exact: false })).toBe("$19");
  expect(money(750, "USD", "en", { exact: false })).toBe("$7.50");
});

test("the yearly saving is never overstated, and never invented", () => {
  expect(yearlySaving(plans.plus, plans.plusYear)).toBe(16); // 16.67 %
  expect(yearlySaving(plans.plus, undefined)).toBe(0);
  expect(yearlySaving(plans.plus, { ...plans.plusYear, currency: "EUR" })).toBe(0);
  expect(yearlySaving(plans.plus, { ...plans.plusYear, price_cents: 20_000 })).toBe(0);
});

test("a day that has begun counts as a day left", () => {
  expect(daysUntil("2027-01-02T00:00:01Z", Date.parse("2027-01-01T00:00:00Z"))).toBe(2);
  expect(daysUntil("2026-01-01T00:00:00Z", Date.parse("2027-01-01T00:00:00Z"))).toBe(0);
});

test("limits are read from numbers, allowances and credits; a switch has none", () => {
  expect([limitOf(5), limitOf({ limit: 200, per: "month" }), limitOf({ credits: 10 }), limitOf(true)]).toEqual([5, 200, 10, null]);
});

test("month and year of one tier are one offer; a one-time plan is its own", () => {
  const offers = offersOf(Object.values(plans));
  expect(offers.map(({ key }) => key)).toEqual(["free", "plus", "tax-2026", "pro"]);
  const [free, plus, , pro] = offers;
  expect(plus && planAt(plus, "year")?.plan_id).toBe("plus-year");
  expect(pro && planAt(pro, "year")?.plan_id).toBe("pro-month");
  expect(free && planAt(free, "year")?.plan_id).toBe("free");
});

test("a spreadsheet cannot be made to run a cell, and reads every text back", () => {
  expect(csv([["=HYPERLINK(1)", 'say "hi", you'], [-5, "plain"]])).toBe('\'=HYPERLINK(1),"say ""hi"", you"\r\n-5,plain\r\n');
});

test("a paywall is recognised however it was wrapped, and nothing else is", () => {
  const problem = { code: "feature_locked", feature: "ai.chat", offers: [] };
  expect(parsePaywallError({ problem })).toEqual(problem);
  expect(parsePaywallError({ ok: false, error: problem })).toEqual(problem);
  expect(parsePaywallError(new Error(`Server returned: 402: ${JSON.stringify(problem)}`))).toEqual(problem);
  expect(parsePaywallError(JSON.stringify(problem))).toEqual(problem);
  expect(parsePaywallError(new Error("Server returned: 500: {oops}"))).toBeNull();
  expect(parsePaywallError(undefined)).toBeNull();
});

test("what a host's gate answers and what the API answers is one document", () => {
  type Said = Pick<Schemas["FeatureLockedProblem"], "feature" | "scenario" | "offers" | "upgrade_url" | "detail">;
  expectTypeOf<Said>().toExtend<Partial<PaywallProblem>>();
});

test("plural forms follow the language, values are filled in, gaps are seen", () => {
  const t = translator<"days">("en", { days: { one: "{count} day", other: "{count} days of {what}" } });
  expect([t("days", { count: 1 }), t("days", { count: 1200, what: "rain" })]).toEqual(["1 day", "1,200 days of rain"]);
  expect(t("days", { count: 2 })).toBe("2 days of {what}");
});

const values = (message: unknown) => [...new Set(JSON.stringify(message).match(/\{\w+\}/g) ?? [])].sort();

test.each([
  ["German", de],
  ["Spanish", es],
])("%s says everything that English says, with the same values", (_, catalogue) => {
  const texts: Readonly<Record<string, unknown>> = catalogue;
  for (const [key, message] of Object.entries(en)) expect([key, values(texts[key])]).toEqual([key, values(message)]);
});
