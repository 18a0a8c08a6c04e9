import { expect, test } from "vitest";
import { draftOf, planOf, type Draft } from "./draft.js";
import { majorOf, minorOf } from "./money.js";

const draft = (over: Partial<Draft> = {}): Draft => ({ ...draftOf(null), plan_id: "team", name: "Team", price: "49", ...over });

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

test("a complete draft is a request, in the currency's smallest unit", () => {
  const features = [
    { key: "ai.chat", kind: "month", amount: "200" },
    { key: "wallets.max", kind: "number", amount: "0" },
    { key: "tax.enhanced", kind: "switch", amount: "ignored" },
  ] as const;
  const { body } = planOf(draft({ features: [...features], provider_plan_ids: "stripe = price_1" }));
  expect(body).toMatchObject({
    price_cents: 4900,
    features: { "ai.chat": { limit: 200, per: "month" }, "wallets.max": 0, "tax.enhanced": true },
    provider_plan_ids: { stripe: "price_1" },
  });
});

test.each([
  [{ price: "49.999" }, "problem.price"],
  [{ features: [{ key: "ai.chat", kind: "month" as const, amount: "0" }] }, "problem.amount"],
  [{ features: [{ key: "wallets.max", kind: "number" as const, amount: "5.5" }] }, "problem.amount"],
  [{ provider_plan_ids: "paypal=1" }, "problem.provider_ids"],
])("what is wrong is named, and nothing can be sent: %o", (over, problem) => {
  expect(planOf(draft(over))).toMatchObject({ body: null, problem });
});

test.each([{ name: " " }, { plan_id: "" }, { price: "" }, { currency: "US" }])("what is missing is waited for: %o", (over) => {
  expect(planOf(draft(over))).toMatchObject({ body: null, problem: null });
});

test("the card beside a half-written draft shows what is known", () => {
  const { preview } = planOf(draft({ price: "", currency: "U" }));
  expect(preview).toMatchObject({ name: "Team", price_cents: 0, currency: "USD" });
});
