import { expect, test } from "vitest";
import { draftOf, newPrice, offerOf, versionOf, type Draft, type PriceDraft } from "./draft.js";
import { majorOf, minorOf } from "./money.js";

const draft = (over: Partial<Draft> = {}, price: Partial<PriceDraft> = {}, ...others: PriceDraft[]): Draft => ({
  ...draftOf([]),
  name: "Team",
  prices: [{ ...newPrice("team", "month", "USD"), price: "49", ...price }, ...others],
  ...over,
});

test.each([
  ["19", "USD", 1900],
  ["19.5", "USD", 1950],
  ["19,50", "EUR", 1950],
  [" 0.10 ", "USD", 10],
  ["500", "JPY", 500],
  ["1.250", "KWD", 1250],
])("%s in %s are %i of its smallest unit", (text, currency, minor) => expect(minorOf(text, currency)).toBe(minor));

test.each([
  ["19.999", "USD"],
  ["5.5", "JPY"],
  ["-1", "USD"],
  ["1,000.00", "USD"],
  ["1e3", "USD"],
  ["", "USD"],
])("%s is no amount in %s", (text, currency) => expect(minorOf(text, currency)).toBeNull());

test.each([
  [1950, "USD", "19.50"],
  [500, "JPY", "500"],
  [1250, "KWD", "1.250"],
])("a field shows %i %s as %s, and reads it back", (minor, currency, text) => {
  expect(majorOf(minor, currency)).toBe(text);
  expect(minorOf(text, currency)).toBe(minor);
});

test("a complete draft is a request, in the currency's smallest unit; what its plans share stands once", () => {
  const features = [
    { key: "ai.chat", kind: "month", amount: "200" },
    { key: "wallets.max", kind: "number", amount: "0" },
    { key: "tax.enhanced", kind: "switch", amount: "ignored" },
  ] as const;
  const year = { ...newPrice("team-year", "year", "USD"), price: "490" };
  const { body } = offerOf(draft({ features: [...features] }, { provider_plan_ids: "stripe = price_1" }, year));
  expect(body).toMatchObject({
    features: { "ai.chat": { limit: 200, per: "month" }, "wallets.max": 0, "tax.enhanced": true },
    prices: [
      { plan_id: "team", version: 0, price_cents: 4900, provider_plan_ids: { stripe: "price_1" } },
      { plan_id: "team-year", version: 0, price_cents: 49000, interval: "year" },
    ],
  });
  const [, second] = body?.prices ?? [];
  expect(body && second && versionOf(body, second)).toMatchObject({ name: "Team", price_cents: 49000, features: body?.features });
});

test.each([
  [{}, { price: "49.999" }, { "prices/0/price_cents": "problem.price" }],
  [{ features: [{ key: "ai.chat", kind: "month" as const, amount: "0" }] }, {}, { "features/ai.chat": "problem.amount" }],
  [{ features: [{ key: "wallets.max", kind: "number" as const, amount: "5.5" }] }, {}, { "features/wallets.max": "problem.amount" }],
  [{}, { provider_plan_ids: "price_1" }, { "prices/0/provider_plan_ids": "problem.provider_ids" }],
])("what is wrong is named by its field, and nothing can be sent: %o %o", (over, price, problems) => {
  expect(offerOf(draft(over, price))).toMatchObject({ body: null, problems });
});

test.each([
  [{ name: " " }, {}],
  [{}, { plan_id: "" }],
  [{}, { price: "" }],
  [{}, { currency: "US" }],
])("what is missing is waited for: %o %o", (over, price) => {
  expect(offerOf(draft(over, price))).toMatchObject({ body: null, problems: {} });
});

test("the card beside a half-written draft shows what is known", () => {
  const { previews } = offerOf(draft({}, { price: "", currency: "U" }));
  expect(previews[0]).toMatchObject({ name: "Team", price_cents: 0, currency: "USD" });
});
