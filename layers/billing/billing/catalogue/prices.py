"""Plans and their prices at a provider that charges again by itself: made when a plan is, repaired when they drift."""

from collections.abc import Callable, Sequence

from billing.data import replace
from billing.errors import InvalidRequest
from billing.providers import PROVIDERS, renewing_client
from billing.providers.interface import Client, PlanSync, RecurringProviderClient
from billing.rules.plans import Plan
from billing.store.plans import PlanStore


class PlanPrices:
    """`offered`: the providers of this stack; those of them that sell by a price of their own are looked after."""

    def __init__(self, plans: PlanStore, client: Callable[[str], Client], offered: Sequence[str]) -> None:
        self._plans = plans
        self._client = client
        self._providers = [name for name in offered if PROVIDERS[name].prices]

    def priced(self, plan: Plan, before: Plan | None) -> Plan:
        """A new version with its prices. `before`: the version it follows, whose price it shares if it costs the same.

        A price that was named by hand is adopted, when it is what the plan says; else `InvalidRequest`.
        """
        for provider in self._sellers(plan):
            ids = dict(plan.provider_plan_ids)
            if before is not None and ids.get(provider) == before.provider_plan_ids.get(provider):
                ids.pop(provider, None)
                if _terms(plan) == _terms(before) and provider in before.provider_plan_ids:
                    ids[provider] = before.provider_plan_ids[provider]
            synced = self._calls(provider).sync_plan(replace(plan, provider_plan_ids=ids), dry_run=False)
            if synced.problems:
                faults = [{"path": f"provider_plan_ids/{provider}", "message": problem} for problem in synced.problems]
                title = PROVIDERS[provider].title
                raise InvalidRequest(f"the price at {title} is not what the plan says", errors=faults)
            plan = replace(plan, provider_plan_ids={**ids, provider: synced.price_id or ""})
        return plan

    def archived(self, plan: Plan) -> None:
        """Takes the prices off sale as well; whoever has one keeps renewing."""
        for provider in self._sellers(plan):
            if provider in plan.provider_plan_ids:
                self._calls(provider).sync_plan(replace(plan, status="archived"), dry_run=False)

    def sync(self, *, dry_run: bool) -> list[PlanSync]:
        """Every plan on record against its prices: what differs, and (unless `dry_run`) what was done about it."""
        newest = sorted(self._plans.catalogue(fresh=True).newest(), key=lambda p: (p.rank, p.plan_id))
        sold = [(plan, provider) for plan in newest for provider in self._sellers(plan)]
        return [
            self._sync(plan, provider, dry_run=dry_run)
            for plan, provider in sold
            if plan.status != "archived" or provider in plan.provider_plan_ids
        ]

    def _sync(self, plan: Plan, provider: str, *, dry_run: bool) -> PlanSync:
        synced = self._calls(provider).sync_plan(plan, dry_run=dry_run)
        price_id = synced.price_id
        if price_id and plan.provider_plan_ids.get(provider) != price_id:
            synced = replace(synced, changes=(*synced.changes, f"note price {price_id}"))
            if not dry_run:
                self._plans.link_price(plan, provider, price_id)
        return synced

    def _sellers(self, plan: Plan) -> list[str]:
        return [] if plan.free else self._providers

    def _calls(self, provider: str) -> RecurringProviderClient:
        return renewing_client(self._client, provider)


def _terms(plan: Plan) -> tuple[object, ...]:
    return plan.price_cents, plan.currency, plan.interval
