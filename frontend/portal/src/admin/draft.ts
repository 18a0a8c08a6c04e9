import type { Schemas } from "@bitsleuth/billing-api-client";
import { majorOf, minorOf } from "./money.js";
import type { AdminPlan } from "./queries.js";

type Grant = Schemas["CreatePlan"]["features"][string];
export type FeatureKind = "switch" | "number" | "month" | "billing_period" | "credits";

/** One feature as the form holds it: texts, so that half-typed values survive. */
export interface FeatureDraft {
  key: string;
  kind: FeatureKind;
  amount: string;
}

/** What each plan of an offer has of its own. `price` is in the major unit, as people write it; `version` 0: not sold yet. */
export interface PriceDraft {
  plan_id: string;
  version: number;
  price: string;
  currency: string;
  interval: Schemas["CreatePlan"]["interval"];
  duration_days: string;
  hidden: boolean;
  provider_plan_ids: string;
}

/** The plans of one offer as the form holds them: what they share once, and a price each. */
export interface Draft {
  name: string;
  description: string;
  tier: string;
  group: string;
  rank: string;
  trial_days: string;
  grace_days: string;
  optimistic: boolean;
  after_purchase: boolean;
  recommended: boolean;
  position: string;
  features: FeatureDraft[];
  prices: PriceDraft[];
}

/** An offer for the form; without plans, a new one. Where its plans differ in what they share, the first one counts. */
export function draftOf(plans: readonly AdminPlan[]): Draft {
  const plan = plans[0];
  return {
    name: plan?.name ?? "",
    description: plan?.description ?? "",
    tier: plan?.tier ?? "",
    group: plan?.group ?? "main",
    rank: String(plan?.rank ?? 0),
    trial_days: String(plan?.trial_days ?? 0),
    grace_days: String(plan?.grace_days ?? 7),
    optimistic: plan?.optimistic ?? false,
    after_purchase: plan?.after_purchase ?? false,
    recommended: plan?.recommended ?? false,
    position: String(plan?.position ?? 0),
    features: Object.entries(plan?.features ?? {}).map(([key, value]) => featureDraft(key, value)),
    prices: plans.length > 0 ? plans.map(priceDraft) : [newPrice("", "month", "USD")],
  };
}

export function newPrice(plan_id: string, interval: PriceDraft["interval"], currency: string): PriceDraft {
  return { plan_id, version: 0, price: "", currency, interval, duration_days: "", hidden: false, provider_plan_ids: "" };
}

function priceDraft(plan: AdminPlan): PriceDraft {
  return {
    plan_id: plan.plan_id,
    version: plan.version,
    price: majorOf(plan.price_cents, plan.currency),
    currency: plan.currency,
    interval: plan.interval,
    duration_days: plan.duration_days ? String(plan.duration_days) : "",
    hidden: plan.status === "hidden",
    provider_plan_ids: Object.entries(plan.provider_plan_ids)
      .map(([provider, id]) => `${provider}=${id}`)
      .join("\n"),
  };
}

function featureDraft(key: string, value: AdminPlan["features"][string]): FeatureDraft {
  if (typeof value === "number") return { key, kind: "number", amount: String(value) };
  if (typeof value === "boolean") return { key, kind: "switch", amount: "" };
  if ("credits" in value) return { key, kind: "credits", amount: String(value.credits) };
  const kind = value.per === "billing_period" ? "billing_period" : "month";
  return { key, kind, amount: String(value.limit) };
}

export type DraftProblem = "problem.price" | "problem.amount" | "problem.provider_ids";

export interface Built {
  /** The request body; null while something is missing or wrong. */
  body: Schemas["SaveOffer"] | null;
  /** What the buyer's card shows meanwhile, by price. */
  previews: Schemas["PublicPlan"][];
  /** What is wrong, by the path that the service would name. */
  problems: Readonly<Record<string, DraftProblem>>;
}

/** The draft as a request and as the plans a buyer would see. */
export function offerOf(draft: Draft): Built {
  const problems: Record<string, DraftProblem> = {};
  const granted: Record<string, Grant> = {};
  for (const feature of draft.features.filter(({ key }) => key)) {
    const grant = grantOf(feature);
    if (grant === null) problems[`features/${feature.key}`] = "problem.amount";
    else granted[feature.key] = grant;
  }
  const prices = draft.prices.map((price, i) => priceOf(price, `prices/${i}`, problems));
  const shared = {
    name: draft.name.trim(),
    description: draft.description.trim(),
    tier: draft.tier.trim(),
    group: draft.group.trim() || "main",
    rank: Number(draft.rank),
    recommended: draft.recommended,
    position: Number(draft.position),
    trial_days: Number(draft.trial_days),
  };
  const previews = prices.map((price) => ({
    ...shared,
    ...price,
    duration_days: price.duration_days ?? null,
    currency: /^[A-Z]{3}$/.test(price.currency) ? price.currency : "USD",
    version: 0,
    providers: [],
    features: granted as Schemas["PublicPlan"]["features"],
  }));
  const complete = shared.name && draft.prices.every((price) => price.plan_id && price.price !== "" && /^[A-Z]{3}$/.test(price.currency));
  if (!complete || Object.keys(problems).length > 0) return { body: null, previews, problems };
  const body: Schemas["SaveOffer"] = {
    ...shared,
    grace_days: Number(draft.grace_days),
    optimistic: draft.optimistic,
    after_purchase: draft.after_purchase,
    features: granted,
    prices,
  };
  return { body, previews, problems };
}

function priceOf(price: PriceDraft, path: string, problems: Record<string, DraftProblem>): Schemas["OfferPrice"] {
  const price_cents = minorOf(price.price, price.currency);
  const provider_plan_ids = providerIds(price.provider_plan_ids);
  if (price.price !== "" && price_cents === null) problems[`${path}/price_cents`] = "problem.price";
  if (provider_plan_ids === null) problems[`${path}/provider_plan_ids`] = "problem.provider_ids";
  return {
    plan_id: price.plan_id,
    version: price.version,
    price_cents: price_cents ?? 0,
    currency: price.currency,
    interval: price.interval,
    duration_days: price.interval === "once" && price.duration_days ? Number(price.duration_days) : null,
    status: price.hidden ? "hidden" : "active",
    provider_plan_ids: provider_plan_ids ?? {},
  };
}

/** One price of an offer as a plan's new version, to ask what it would change. */
export function versionOf({ prices: _, ...shared }: Schemas["SaveOffer"], price: Schemas["OfferPrice"]): Schemas["UpdatePlan"] {
  const { plan_id: __, ...own } = price;
  return { ...shared, ...own, version: price.version ?? 0 };
}

/** Whether the amount is a whole number that its kind can have: an allowance of none is no allowance. */
export const isCount = ({ kind, amount }: FeatureDraft) => /^\d+$/.test(amount) && (kind === "number" || Number(amount) > 0);

function grantOf(feature: FeatureDraft): Grant | null {
  const { kind } = feature;
  if (kind === "switch") return true;
  if (!isCount(feature)) return null;
  const count = Number(feature.amount);
  if (kind === "number") return count;
  return kind === "credits" ? { credits: count } : { limit: count, per: kind };
}

/** Lines of `provider=id`; null when one is not. */
function providerIds(text: string): Record<string, string> | null {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const pairs = lines.map((line) => /^(\w+)\s*=\s*(\S+)$/.exec(line));
  if (pairs.includes(null)) return null;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
}
