import { draftOf, type Draft } from "./draft.js";
import type { AdminPlan } from "./queries.js";

/** Plans that are sold as one thing: the month and the year of a tier, each in its newest version. */
export interface AdminOffer {
  key: string;
  plans: AdminPlan[];
}

const INTERVALS = ["month", "year", "once"];

/** Of each plan its newest version, joined to offers: what is sold first, in the order of the price list. */
export function offersFrom(plans: readonly AdminPlan[]): AdminOffer[] {
  const offers = new Map<string, AdminOffer>();
  for (const plan of plans) {
    if (plans.some((other) => other.plan_id === plan.plan_id && other.version > plan.version)) continue;
    // What is no longer sold, or is sold once, stands alone.
    const alone = plan.status === "archived" || plan.interval === "once" || !plan.tier;
    const key = alone ? plan.plan_id : `${plan.group}/${plan.tier}`;
    const offer = offers.get(key) ?? { key, plans: [] };
    offer.plans.push(plan);
    offer.plans.sort((a, b) => INTERVALS.indexOf(a.interval) - INTERVALS.indexOf(b.interval));
    offers.set(key, offer);
  }
  const isArchived = ({ plans: [first] }: AdminOffer) => Number(first?.status === "archived");
  const by = (name: "position" | "rank", { plans }: AdminOffer) => plans[0]?.[name] ?? 0;
  return [...offers.values()].sort((a, b) => isArchived(a) - isArchived(b) || by("position", a) - by("position", b) || by("rank", a) - by("rank", b));
}

/** What the plans of an offer share by intention, and yet differ in: those that drifted apart before. */
export function driftOf(plans: readonly AdminPlan[]): string[] {
  const [first, ...others] = plans.map((plan) => {
    const { prices: _, ...shared } = draftOf([plan]);
    return shared;
  });
  if (!first) return [];
  const differs = (name: keyof typeof first) => others.some((other) => sorted(other[name]) !== sorted(first[name]));
  return (Object.keys(first) as (keyof typeof first)[]).filter(differs);
}

const sorted = (value: Draft[keyof Draft]) => JSON.stringify(Array.isArray(value) ? value.map((one) => JSON.stringify(one)).sort() : value);

// --- what was typed and not yet published -----------------------------------------------------------------------------

const PREFIX = "billing.admin.offer.";

/** A draft outlives Back and a reload, in this tab alone. */
export const drafts = {
  read(key: string): Draft | null {
    try {
      const kept = JSON.parse(sessionStorage.getItem(PREFIX + key) ?? "null") as Draft | null;
      return kept && Array.isArray(kept.prices) && Array.isArray(kept.features) ? kept : null;
    } catch {
      return null;
    }
  },
  keep(key: string, draft: Draft): void {
    try {
      sessionStorage.setItem(PREFIX + key, JSON.stringify(draft));
    } catch {
      // A browser that keeps nothing: the draft lives as long as the page.
    }
  },
  drop(key: string): void {
    try {
      sessionStorage.removeItem(PREFIX + key);
    } catch {
      // As above.
    }
  },
};
