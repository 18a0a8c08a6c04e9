import type { Plan } from "./format.js";
import type { Status } from "./queries.js";

export type Interval = Plan["interval"];

/** The plans of one tier side by side: the month's, the year's. A one-time plan stands alone. */
export interface Offer {
  key: string;
  name: string;
  rank: number;
  plans: Partial<Record<Interval, Plan>>;
}

export function offersOf(plans: readonly Plan[]): Offer[] {
  const offers = new Map<string, Offer>();
  for (const plan of plans) {
    const key = plan.interval === "once" ? plan.plan_id : plan.tier || plan.plan_id;
    const offer = offers.get(key) ?? { key, name: plan.name, rank: plan.rank, plans: {} };
    offer.plans[plan.interval] = plan;
    offer.rank = Math.max(offer.rank, plan.rank);
    if (plan.interval === "month") offer.name = plan.name;
    offers.set(key, offer);
  }
  return [...offers.values()].sort((a, b) => a.rank - b.rank);
}

export const isRecurring = (offer: Offer) => offer.plans.once === undefined;

/** The plan an offer sells at an interval; the free plan has one price, whatever the interval. */
export function planAt(offer: Offer, interval: Interval): Plan | undefined {
  return offer.plans[interval] ?? offer.plans.month ?? offer.plans.year ?? offer.plans.once;
}

const LIVE = new Set(["trialing", "active", "past_due", "unpaid", "paused"]);

/** The subscription that occupies a plan's group, at most one: buying there again would bill twice. */
export function liveSubscription(status: Status | undefined) {
  return status?.subscriptions.find((subscription) => LIVE.has(subscription.status));
}

export type Move = "buy" | "current" | "upgrade" | "downgrade" | "switch" | "free";

/** What choosing a plan means to this user. */
export function moveTo(plan: Plan, plans: readonly Plan[], status: Status | undefined): Move {
  const subscription = liveSubscription(status);
  if (status && (subscription?.plan_id ?? status.plan_id) === plan.plan_id) return "current";
  if (plan.price_cents === 0) return "free";
  if (!subscription || plan.interval === "once") return "buy";
  const current = plans.find((other) => other.plan_id === subscription.plan_id);
  if (!current || current.group !== plan.group) return "buy";
  if (current.rank === plan.rank) return "switch";
  return plan.rank > current.rank ? "upgrade" : "downgrade";
}
