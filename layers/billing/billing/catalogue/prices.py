"""Keeps the prices of plans at providers with price objects: created with a plan, fixed when they differ from it."""

from collections.abc import Callable, Sequence
from functools import partial

from billing.data import replace
from billing.errors import InvalidRequest
from billing.providers import PROVIDERS, renewing_client
from billing.providers.interface import Client, PlanSync
from billing.rules.plans import Plan
from billing.store.plans import PlanStore


class PlanPrices:
    """`offered`: the providers of this stack; those without price objects are ignored."""

    def __init__(self, plans: PlanStore, client: Callable[[str], Client], offered: Sequence[str]) -> None:
        self._plans = plans
        self._calls = partial(renewing_client, client)
        self._providers = [name for name in offered if PROVIDERS[name].prices]

    def priced(self, plan: Plan, before: Plan | None) -> Plan:
        """A new version with its price ids. `before`: the version before, whose price is reused if the terms are equal.

        A price id entered by hand is used if it matches the plan; otherwise raises `InvalidRequest`.
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
        """Archive the plan's prices. Existing subscriptions keep renewing."""
        for provider in self._sellers(plan):
            if provider in plan.provider_plan_ids:
                self._calls(provider).sync_plan(replace(plan, status="archived"), dry_run=False)

    def sync(self, *, dry_run: bool) -> list[PlanSync]:
        """Compare every plan with its prices and, unless `dry_run`, fix the differences."""
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


def _terms(plan: Plan) -> tuple[object, ...]:
    return plan.price_cents, plan.currency, plan.interval
