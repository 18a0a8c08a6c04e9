import type { Plan } from "./format.js";
import type { Status } from "./queries.js";

export type Interval = Plan["interval"];

/** The plans of one tier side by side: the month's, the year's. A one-time plan stands alone. */
export interface Offer {
  key: string;
  name: string;
  rank: number;
  /** Place on the price list; of one place the lower rank is first. */
  position: number;
  recommended: boolean;
  plans: Partial<Record<Interval, Plan>>;
}

export function offersOf(plans: readonly Plan[]): Offer[] {
  const offers = new Map<string, Offer>();
  for (const plan of plans) {
    const key = plan.interval === "once" ? plan.plan_id : plan.tier || plan.plan_id;
    const offer = offers.get(key) ?? { key, name: plan.name, rank: plan.rank, position: plan.position, recommended: false, plans: {} };
    offer.plans[plan.interval] = plan;
    offer.rank = Math.max(offer.rank, plan.rank);
    offer.position = Math.min(offer.position, plan.position);
    offer.recommended ||= plan.recommended;
    if (plan.interval === "month") offer.name = plan.name;
    offers.set(key, offer);
  }
  return [...offers.values()].sort((a, b) => a.position - b.position || a.rank - b.rank);
}

export const isRecurring = (offer: Offer) => offer.plans.once === undefined;

/** The next smaller offer, wherever on the list it stands. */
export function below(offer: Offer, all: readonly Offer[]): Offer | undefined {
  return all.filter(({ rank }) => rank < offer.rank).sort((a, b) => b.rank - a.rank)[0];
}

/** The plan an offer sells at an interval; the free plan has one price, whatever the interval. */
export function planAt(offer: Offer, interval: Interval): Plan | undefined {
  return offer.plans[interval] ?? offer.plans.month ?? offer.plans.year ?? offer.plans.once;
}

/** The subscriptions that are not over: each has its own place on the billing page. */
export function liveSubscriptions(status: Status) {
  return status.subscriptions.filter((subscription) => !subscription.actions.includes("resubscribe"));
}

