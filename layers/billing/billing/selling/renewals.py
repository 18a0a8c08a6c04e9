"""Renewal of prepaid plans: an invoice for the next term in one call, and reminders on or off."""

from collections.abc import Mapping
from typing import Any

from billing.api import views
from billing.data import replace
from billing.errors import NotFound
from billing.rules.consequences import Consequences, consequences
from billing.rules.records import VOUCHER, Account, Renewal
from billing.selling.checkout import Checkouts
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore


class Renewals:
    def __init__(self, accounts: AccountStore, plans: PlanStore, checkouts: Checkouts) -> None:
        self._accounts = accounts
        self._plans = plans
        self._checkouts = checkouts

    def open_invoice(self, user_id: str, group: str, provider: str | None, now: int) -> Mapping[str, Any]:
        """The invoice for another term of the plan that ends last, at its provider unless another one is named. The
        same call returns the same invoice while it can be paid; the price is that of the plan's newest version."""
        renewal = _find(self._accounts.load(user_id), group)
        if renewal.provider == VOUCHER:  # nothing was paid yet: the first provider that sells a term
            provider = provider or self._checkouts.prepaid_seller(renewal.plan_id)
        return self._checkouts.create(user_id, renewal.plan_id, provider or renewal.provider, now, accept_overlap=True)

    def set_reminders(self, user_id: str, group: str, *, wanted: bool, now: int) -> dict[str, Any]:
        """Sets whether the buyer wants to be reminded of the end."""

        def decide(account: Account) -> Consequences:
            renewal = replace(_find(account, group), wanted=wanted)
            return consequences(account, account.put(renewal), self._plans.catalogue(), now)

        return views.renewal(_find(self._accounts.change(user_id, decide), group))


def _find(account: Account, group: str) -> Renewal:
    for renewal in account.renewals:
        if renewal.group == group:
            return renewal
    raise NotFound("you have no prepaid plan in this group to renew")
