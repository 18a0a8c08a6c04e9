// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { draftOf } from "./draft.js";
import { drafts, driftOf, offersFrom } from "./offer.js";
import { adminPlan } from "./testing.js";

const year = adminPlan("pro-year", { interval: "year", price_cents: 19000 });

test("the newest versions of a tier's month and year are one offer; what is archived or sold once stands alone", () => {
  const offers = offersFrom([
    year,
    adminPlan("pro-month", { version: 2 }),
    adminPlan("pro-month"),
    adminPlan("pass", { interval: "once", rank: 5 }),
    adminPlan("old-month", { status: "archived", rank: 1 }),
    adminPlan("free", { tier: "", rank: 0 }),
  ]);
  expect(offers.map(({ plans }) => plans.map(({ plan_id, version }) => [plan_id, version]))).toEqual([
    [["free", 1]],
    [["pass", 1]],
    [["pro-month", 2], ["pro-year", 1]],
    [["old-month", 1]],
  ]);
});

test("plans that differ in what they share have drifted, whatever the order of their features", () => {
  const turned = { "tax.enhanced": true, "ai.chat": { limit: 1000, per: "month" } };
  expect(driftOf([adminPlan("pro-month"), adminPlan("pro-year", { ...year, features: turned })])).toEqual([]);
  const less = { ...turned, "ai.chat": { limit: 800, per: "month" } };
  expect(driftOf([adminPlan("pro-month"), adminPlan("pro-year", { ...year, features: less, name: "Pro yearly" })])).toEqual(["name", "features"]);
});

test("a draft is kept until it is dropped, and what is no draft is none", () => {
  const typed = { ...draftOf([year]), name: "Half-ty" };
  drafts.keep("main/pro", typed);
  expect([drafts.read("main/pro"), drafts.read("new")]).toEqual([typed, null]);
  drafts.drop("main/pro");
  sessionStorage.setItem("billing.admin.offer.new", "{");
  expect([drafts.read("main/pro"), drafts.read("new")]).toEqual([null, null]);
});
