import type { AdminPlan } from "./queries.js";

/** A plan as an admin sees it, for tests. */
export const adminPlan = (plan_id: string, over: Partial<AdminPlan> = {}): AdminPlan => ({
  plan_id,
  version: 1,
  name: "Pro",
  description: "",
  price_cents: 1900,
  currency: "USD",
  interval: "month",
  tier: "pro",
  rank: 20,
  group: "main",
  trial_days: 0,
  duration_days: null,
  features: { "ai.chat": { limit: 1000, per: "month" }, "tax.enhanced": true },
  providers: [],
  status: "active",
  grace_days: 7,
  optimistic: false,
  after_purchase: false,
  recommended: false,
  position: 0,
  provider_plan_ids: {},
  ...over,
});
