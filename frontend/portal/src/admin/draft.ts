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

/** A plan as the form holds it. `price` is in the major unit, as people write it. */
export interface Draft {
  plan_id: string;
  name: string;
  description: string;
  price: string;
  currency: string;
  interval: Schemas["CreatePlan"]["interval"];
  tier: string;
  group: string;
  rank: string;
  trial_days: string;
  grace_days: string;
  duration_days: string;
  optimistic: boolean;
  after_purchase: boolean;
  recommended: boolean;
  position: string;
  hidden: boolean;
  provider_plan_ids: string;
  features: FeatureDraft[];
}

export function draftOf(plan: AdminPlan | null): Draft {
  const currency = plan?.currency ?? "USD";
  return {
    plan_id: plan?.plan_id ?? "",
    name: plan?.name ?? "",
    description: plan?.description ?? "",
    price: plan ? majorOf(plan.price_cents, currency) : "",
    currency,
    interval: plan?.interval ?? "month",
    tier: plan?.tier ?? "",
    group: plan?.group ?? "main",
    rank: String(plan?.rank ?? 0),
    trial_days: String(plan?.trial_days ?? 0),
    grace_days: String(plan?.grace_days ?? 7),
    duration_days: plan?.duration_days ? String(plan.duration_days) : "",
    optimistic: plan?.optimistic ?? false,
    after_purchase: plan?.after_purchase ?? false,
    recommended: plan?.recommended ?? false,
    position: String(plan?.position ?? 0),
    hidden: plan?.status === "hidden",
    provider_plan_ids: Object.entries(plan?.provider_plan_ids ?? {})
      .map(([provider, id]) => `${provider}=${id}`)
      .join("\n"),
    features: Object.entries(plan?.features ?? {}).map(([key, value]) => featureDraft(key, value)),
  };
}

function featureDraft(key: string, value: Schemas["AdminPlan"]["features"][string]): FeatureDraft {
  if (typeof value === "number") return { key, kind: "number", amount: String(value) };
  if (typeof value === "boolean") return { key, kind: "switch", amount: "" };
  if ("credits" in value) return { key, kind: "credits", amount: String(value.credits) };
  const kind = value.per === "billing_period" ? "billing_period" : "month";
  return { key, kind, amount: String(value.limit) };
}

export type DraftProblem = "problem.price" | "problem.amount" | "problem.provider_ids";

export interface Built {
  /** The request body; null while something is missing or wrong. */
  body: Schemas["CreatePlan"] | null;
  /** What the buyer's card shows meanwhile. */
  preview: Schemas["PublicPlan"];
  problem: DraftProblem | null;
}

/** The draft as a request and as the plan a buyer would see. */
export function planOf(draft: Draft): Built {
  const price = minorOf(draft.price, draft.currency);
  const features = Object.fromEntries(draft.features.filter(({ key }) => key).map((f) => [f.key, grantOf(f)]));
  const provider_plan_ids = providerIds(draft.provider_plan_ids);
  const wrong = Object.values(features).includes(null);
  const granted = Object.fromEntries(Object.entries(features).filter((entry): entry is [string, Grant] => entry[1] !== null));
  const common = {
    plan_id: draft.plan_id,
    name: draft.name.trim(),
    description: draft.description.trim(),
    price_cents: price ?? 0,
    currency: draft.currency,
    interval: draft.interval,
    tier: draft.tier.trim(),
    group: draft.group.trim() || "main",
    rank: Number(draft.rank),
    recommended: draft.recommended,
    position: Number(draft.position),
    trial_days: Number(draft.trial_days),
  };
  const duration_days = draft.interval === "once" && draft.duration_days ? Number(draft.duration_days) : null;
  const preview = {
    ...common,
    currency: /^[A-Z]{3}$/.test(draft.currency) ? draft.currency : "USD",
    duration_days,
    version: 0,
    providers: [],
    features: granted as Schemas["PublicPlan"]["features"],
  };
  const problem = ((): DraftProblem | null => {
    if (draft.price !== "" && price === null) return "problem.price";
    if (wrong) return "problem.amount";
    if (provider_plan_ids === null) return "problem.provider_ids";
    return null;
  })();
  const complete = common.plan_id && common.name && price !== null && /^[A-Z]{3}$/.test(draft.currency);
  if (problem || !complete || provider_plan_ids === null) return { body: null, preview, problem };
  const body: Schemas["CreatePlan"] = {
    ...common,
    duration_days,
    grace_days: Number(draft.grace_days),
    optimistic: draft.optimistic,
    after_purchase: draft.after_purchase,
    status: draft.hidden ? "hidden" : "active",
    provider_plan_ids,
    features: granted,
  };
  return { body, preview, problem: null };
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
  const pairs = lines.map((line) => /^(stripe|bitpay|btcpay|mock)\s*=\s*(\S+)$/.exec(line));
  if (pairs.includes(null)) return null;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
}
