"""Plans and their prices at a provider that charges again by itself: made when a plan is, repaired when they drift."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from billing.errors import InvalidRequest
from billing.providers import Client, PlanSync, RecurringProviderClient
from billing.rules.plans import Plan
from billing.store.plans import PlanStore

# The one provider that sells by a price of its own; the others are told the amount with each order.
PROVIDER = "stripe"


class PlanPrices:
    """`offered`: the providers of this stack; without Stripe among them there is nothing to do."""

    def __init__(self, plans: PlanStore, client: Callable[[str], Client], offered: Sequence[str]) -> None:
        self._plans = plans
        self._client = client
        self._offered = offered

    def priced(self, plan: Plan, before: Plan | None) -> Plan:
        """A new version with its price. `before`: the version it follows, whose price it shares if it costs the same.

        A price that was named by hand is adopted, when it is what the plan says; else `InvalidRequest`.
        """
        if not self._sells(plan):
            return plan
        ids = dict(plan.provider_plan_ids)
        if before is not None and ids.get(PROVIDER) == before.provider_plan_ids.get(PROVIDER):
            ids.pop(PROVIDER, None)
            if _terms(plan) == _terms(before) and PROVIDER in before.provider_plan_ids:
                ids[PROVIDER] = before.provider_plan_ids[PROVIDER]
        synced = self._stripe().sync_plan(replace(plan, provider_plan_ids=ids), dry_run=False)
        if synced.problems:
            faults = [{"path": f"provider_plan_ids/{PROVIDER}", "message": problem} for problem in synced.problems]
            raise InvalidRequest("the price at Stripe is not what the plan says", errors=faults)
        return replace(plan, provider_plan_ids={**ids, PROVIDER: synced.price_id or ""})

    def archived(self, plan: Plan) -> None:
        """Takes the price off sale as well; whoever has it keeps renewing."""
        if self._sells(plan) and PROVIDER in plan.provider_plan_ids:
            self._stripe().sync_plan(replace(plan, status="archived"), dry_run=False)

    def sync(self, *, dry_run: bool) -> list[PlanSync]:
        """Every plan on record against Stripe: what differs, and (unless `dry_run`) what was done about it."""
        done = []
        for plan in sorted(self._plans.catalogue(fresh=True).newest(), key=lambda p: (p.rank, p.plan_id)):
            if not self._sells(plan) or (plan.status == "archived" and PROVIDER not in plan.provider_plan_ids):
                continue
            synced = self._stripe().sync_plan(plan, dry_run=dry_run)
            price_id = synced.price_id
            if price_id and plan.provider_plan_ids.get(PROVIDER) != price_id:
                synced = replace(synced, changes=(*synced.changes, f"note price {price_id}"))
                if not dry_run:
                    self._plans.link_price(plan, PROVIDER, price_id)
            done.append(synced)
        return done

    def _sells(self, plan: Plan) -> bool:
        return PROVIDER in self._offered and not plan.free

    def _stripe(self) -> RecurringProviderClient:
        return cast(RecurringProviderClient, self._client(PROVIDER))


def _terms(plan: Plan) -> tuple[object, ...]:
    return plan.price_cents, plan.currency, plan.interval
