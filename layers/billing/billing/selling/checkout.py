"""Checkout: open one hosted payment page per user and group of plans, and confirm it on return without waiting."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from billing.data import replace
from billing.errors import (
    Conflict,
    NotConfigured,
    NotFound,
    Parked,
    ProviderError,
    ProviderUnavailable,
    account_moved,
    invalid_field,
)
from billing.intake.applier import Applier
from billing.providers import PREPAID, sellers
from billing.providers.interface import Client, Order, Session
from billing.rules.apply import apply
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Fact, Ref
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import live_subscription, obstacle, overlap, quote, trial_days
from billing.rules.records import UNDER_WAY, Account, Checkout
from billing.rules.renewal import INVOICE_MINUTES, paid_by_hand_from
from billing.rules.times import rfc3339
from billing.rules.vouchers import GIFT_GROUP, gift_checkout
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

# Seconds a hosted page stays payable; Stripe accepts from 30 minutes to a day.
CHECKOUT_SECONDS = 3600
# No page is opened for less than this: an order that was noted so long ago (before a crash) is given up.
_SHORTEST = 1800
# A session about to end is not handed out again.
_REUSE_MARGIN = 120


class Checkouts:
    """`offered`: the providers of this stack, in order; `client(name)`: the calls toward one.

    `opened_by(user_id)`: the key that opens an account, its own first; None: nobody could use what is bought for it.
    `voucher_secret`: what the codes of gifts are drawn from; None sells none.
    """

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        client: Callable[[str], Client],
        offered: Sequence[str],
        portal_url: str,
        opened_by: Callable[[str], str | None] = lambda user_id: user_id,
        voucher_secret: Callable[[], str] | None = None,
    ) -> None:
        self._opened_by = opened_by
        self._voucher_secret = voucher_secret
        self._accounts = accounts
        self._plans = plans
        self._client = client
        self._offered = offered
        self._portal_url = portal_url

    def create(
        self,
        user_id: str,
        plan_id: str,
        provider: str | None,
        now: int,
        *,
        accept_overlap: bool = False,
        quote_id: str | None = None,
        gift: bool = False,
    ) -> Mapping[str, Any]:
        """The hosted page for a plan. Asking again returns the same page; asking for another plan ends the old one.

        `accept_overlap`: the buyer has read that this is paid besides what already runs. `quote_id`: the terms that
        the buyer was shown; where they differ by now, it is refused. `gift`: it buys a voucher, whatever the buyer has.
        """
        plan = self._plan_for_sale(plan_id)
        provider = self._provider_for(plan, provider)
        before = self._accounts.load(user_id)
        group = GIFT_GROUP if gift else plan.group
        if not gift:
            self._look_whether_it_is_paid(before, plan, now)
            self._look_whether_it_ended(before, plan, provider, now)
        page = before.checkout_in(group)
        self._confirm_open_page(user_id, page, plan, provider, now)
        asked_before = False

        def note(account: Account) -> Consequences | None:
            nonlocal asked_before
            key = self._opened_by(user_id)
            if key is None:
                raise account_moved(", then buy there")
            catalogue = self._plans.catalogue()
            if not gift:
                _refuse(account, catalogue, plan, provider, now, accept_overlap=accept_overlap, quote_id=quote_id)
            noted = self._note(account, catalogue, group, plan, provider, now)
            asked_before = noted is None
            return noted and replace(noted, own_key=key == user_id)

        account = self._accounts.change(user_id, note)
        checkout = account.checkout_in(group)
        assert checkout is not None
        if _payable(checkout, now):
            return _view(checkout, reused=True)
        self._look_at_ended(page, user_id, now)
        return _view(self.open_noted(account, checkout, plan, now, repeated=asked_before), reused=False)

    def open_noted(self, account: Account, checkout: Checkout, plan: Plan, now: int, *, repeated: bool) -> Checkout:
        """Opens the page at the provider for a checkout stored as `opening`, and stores its address.

        `repeated`: the provider may have been asked before, and its answer lost.
        """
        order = self._order(account, checkout, plan, repeated=repeated)
        session = self._client(checkout.provider).create_checkout(order)
        after = self._accounts.change(account.user_id, lambda account: self._opened(account, checkout, session, now))
        opened = after.checkout_in(checkout.group)
        if opened is None or opened.checkout_id != checkout.checkout_id:
            raise Conflict("another checkout was opened meanwhile: try again", code="checkout_in_progress")
        return opened

    def prepaid_seller(self, plan_id: str) -> str | None:
        """The first provider that sells this plan for a time, without renewing it."""
        plan = self._plan_for_sale(plan_id)
        return next((name for name in sellers(plan, self._offered) if name in PREPAID), None)

    def _note(
        self, account: Account, catalogue: Catalogue, group: str, plan: Plan, provider: str, now: int
    ) -> Consequences | None:
        """Stores the order before the provider is asked, so that after a crash, or from a second tab, it is asked for
        the same session. None: this very order is stored already. A page for another one is closed at the provider."""
        existing = account.checkout_in(group)
        same = existing is not None and _same(existing, plan, provider)
        if existing and same and (_payable(existing, now) or _noted(existing, now)):
            return None
        if (
            existing
            and not (same and existing.url)
            and existing.status == "open"
            and existing.session_id
            and existing.expires_at > now
        ):
            self._client(existing.provider).expire_checkout(existing.session_id)
        checkout = Checkout(
            checkout_id=self._checkout_id(gift=group == GIFT_GROUP),
            group=group,
            plan_id=plan.plan_id,
            plan_version=plan.version,
            provider=provider,
            status="opening",
            created_at=now,
            expires_at=now + CHECKOUT_SECONDS,
            amount_cents=plan.price_cents,
            currency=plan.currency,
        )
        if group != GIFT_GROUP:
            days = trial_days(account, plan, provider, now, prepaid=provider in PREPAID)
            checkout = replace(checkout, trial_days=days)
        return consequences(account, account.put(checkout), catalogue, now)

    def _checkout_id(self, *, gift: bool) -> str:
        if not gift:
            return f"chk_{uuid.uuid4().hex}"
        if self._voucher_secret is None:
            raise invalid_field("gift", "not on offer", "no gifts are sold here")
        return gift_checkout(self._voucher_secret(), uuid.uuid4().hex[:20])

    def _look_whether_it_is_paid(self, account: Account, plan: Plan, now: int) -> None:
        """Before a plan that is bought once is sold again, the buyer's open bitcoin invoices for it are read: a page
        may have run out while the money was on its way."""
        if plan.recurring or plan.duration_days is not None:
            return
        for purchase in account.purchases:
            if purchase.plan_id == plan.plan_id and purchase.provider in PREPAID and purchase.state in UNDER_WAY:
                self._read(account.user_id, purchase.provider, purchase.purchase_id, now)

    def _look_whether_it_ended(self, account: Account, plan: Plan, provider: str, now: int) -> None:
        """A subscription that owes, or whose time is over, is read before it stands in the way of the next one: of its
        end an event may come late, or never. What may be bought beside it needs no answer."""
        if not account.subscriptions:
            return
        catalogue = self._plans.catalogue()
        current = live_subscription(account, catalogue, plan.group)
        if current is None:
            return
        paid_until = min(current.current_period_end, current.ends_at or current.current_period_end)
        if current.status not in ("trialing", "active") or paid_until <= now:
            applier = Applier(self._accounts, self._plans, self._client)
            try:
                applier.refresh(account.user_id, current.provider, Ref("subscription", current.subscription_id), now)
            except (ProviderError, Parked, NotConfigured):
                if obstacle(account, catalogue, plan, prepaid=provider in PREPAID):
                    raise

    def _confirm_open_page(self, user_id: str, page: Checkout | None, plan: Plan, provider: str, now: int) -> None:
        """Reads a card's page that was open: it may have been paid, and the webhook be late.

        One for another plan is closed first, so that nobody pays it while it is read. With one for the same plan, a
        provider that does not answer is no obstacle: the page itself takes no second payment. Nor is an ended page of a
        provider that was given up, which will never say more of it.
        """
        if page is None or page.status != "open" or not page.session_id or page.provider in PREPAID:
            return
        same = _same(page, plan, provider) and _payable(page, now)
        try:
            client = self._client(page.provider)
            if not same and page.expires_at > now:
                client.expire_checkout(page.session_id)
            facts = client.read(Ref("checkout", page.session_id), now)
        except ProviderUnavailable:
            if not same:
                raise
        except NotConfigured:
            if page.expires_at > now:
                raise
        else:
            Applier(self._accounts, self._plans, self._client).apply(user_id, page.provider, facts, now)

    def _look_at_ended(self, page: Checkout | None, user_id: str, now: int) -> None:
        """A bitcoin invoice whose page was closed just now may have been paid in that moment. Where the provider does
        not answer, the next poll tells."""
        if page and page.session_id and page.provider in PREPAID and page.status == "open" and page.expires_at > now:
            with suppress(ProviderError):
                self._read(user_id, page.provider, page.session_id, now)

    def _read(self, user_id: str, provider: str, purchase_id: str, now: int) -> None:
        facts = self._client(provider).read(Ref("purchase", purchase_id), now)
        catalogue = self._plans.catalogue()

        def decide(account: Account) -> Consequences:
            return consequences(account, _with(account, facts, catalogue), catalogue, now)

        self._accounts.change(user_id, decide)

    def _opened(self, account: Account, checkout: Checkout, session: Session, now: int) -> Consequences | None:
        """Stores the provider's page and what it reports of the session, such as a pending purchase."""
        current = account.checkout_in(checkout.group)
        if current is None or current.checkout_id != checkout.checkout_id or current.status != "opening":
            return None
        catalogue = self._plans.catalogue()
        after = account.put(_opened(current, session))
        if checkout.provider in PREPAID:  # dated by our clock, as whatever is read of these providers later
            after = _with(after, [replace(fact, observed_at=now) for fact in session.facts], catalogue)
        else:
            after = _with(after, session.facts, catalogue)
        return consequences(account, after, catalogue, now)

    def _order(self, account: Account, checkout: Checkout, plan: Plan, *, repeated: bool) -> Order:
        return Order(
            checkout_id=checkout.checkout_id,
            user_id=account.user_id,
            plan=plan,
            amount_cents=checkout.amount_cents,
            currency=checkout.currency,
            success_url=f"{self._portal_url}/checkout/return?checkout_id={checkout.checkout_id}",
            cancel_url=f"{self._portal_url}/pricing?checkout=canceled",
            expires_at=checkout.expires_at,
            customer_id=next((name for provider, name in account.customers if provider == checkout.provider), None),
            trial_days=checkout.trial_days,
            repeated=repeated,
            gift=checkout.group == GIFT_GROUP,
            lightning_minutes=INVOICE_MINUTES if checkout.by_wallet else 0,
        )

    def _plan_for_sale(self, plan_id: str) -> Plan:
        plan = self._plans.catalogue().get(plan_id) or self._plans.catalogue(fresh=True).get(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id}")
        if plan.status == "archived" or plan.free:
            raise Conflict(f"{plan.name} is not for sale", code="plan_not_for_sale")
        return plan

    def _provider_for(self, plan: Plan, provider: str | None) -> str:
        able = sellers(plan, self._offered)
        if provider is None and able:
            return able[0]
        if provider not in able:
            raise invalid_field("provider", f"one of {able}", f"{plan.name} cannot be bought that way")
        return provider


def confirm(
    accounts: AccountStore,
    applier: Applier,
    client: Callable[[str], Client],
    user_id: str,
    checkout_id: str,
    now: int,
) -> Mapping[str, Any]:
    """Reads the session at the provider and applies it: the buyer on the return page does not wait for the webhook."""
    checkout = _find(accounts.load(user_id), checkout_id)
    if checkout.status == "open" and checkout.session_id:
        facts = client(checkout.provider).read(Ref("checkout", checkout.session_id), now)
        applier.apply(user_id, checkout.provider, facts, now)
    account = accounts.load(user_id)
    checkout = _find(account, checkout_id)
    status = "processing" if checkout.status == "opening" else checkout.status
    return {
        "status": status,
        "plan_id": checkout.plan_id,
        "provider": checkout.provider,
        "entitlements_version": account.version,
        "gift": checkout.group == GIFT_GROUP,
    }


def _refuse(
    account: Account,
    catalogue: Catalogue,
    plan: Plan,
    provider: str,
    now: int,
    *,
    accept_overlap: bool,
    quote_id: str | None,
) -> None:
    """Raises if the buyer has it already, was shown other terms, or has not accepted an overlap."""
    refuse_double(account, catalogue, plan, provider)
    _refuse_beside_wallet(account, plan, now)
    if quote_id is not None:
        _refuse_other_terms(account, catalogue, plan, provider, now, quote_id)
    if not accept_overlap:
        explain_overlap(account, catalogue, plan, provider, now)


def refuse_double(account: Account, catalogue: Catalogue, plan: Plan, provider: str) -> None:
    """A second subscription in a group would bill twice: name the call that changes the first instead."""
    refusal = obstacle(account, catalogue, plan, prepaid=provider in PREPAID)
    if refusal is None:
        return
    if refusal.code == "payment_on_its_way":
        raise Conflict(
            f"a payment for {plan.name} is on its way, or is being looked at: to pay again would pay twice",
            code=refusal.code,
            plan_id=plan.plan_id,
        )
    if refusal.code == "already_purchased":
        raise Conflict(f"you own {plan.name} already", code=refusal.code, plan_id=plan.plan_id)
    raise Conflict(
        f"you are subscribed to {refusal.plan.name}: change that subscription instead",
        code=refusal.code,
        plan_id=refusal.plan.plan_id,
        change="/billing/subscription/preview-change",
    )


def _refuse_beside_wallet(account: Account, plan: Plan, now: int) -> None:
    """Refuses while the buyer's wallet may still pay a renewal: both invoices could be paid."""
    wait_until = paid_by_hand_from(account, plan.group, now)
    if wait_until is not None:
        raise Conflict(
            f"your wallet was asked to renew {plan.name}, and may still pay: by hand from {rfc3339(wait_until)}",
            code="renewal_under_way",
            retry_at=rfc3339(wait_until),
        )


def _refuse_other_terms(
    account: Account, catalogue: Catalogue, plan: Plan, provider: str, now: int, quote_id: str
) -> None:
    if quote(account, catalogue, plan, provider, now, prepaid=provider in PREPAID).quote_id != quote_id:
        raise Conflict(
            f"the terms of {plan.name} are no longer those that were shown: look at them again", code="quote_outdated"
        )


def explain_overlap(account: Account, catalogue: Catalogue, plan: Plan, provider: str, now: int) -> None:
    """A card subscription and a bitcoin term may overlap, but nobody should pay for both without knowing."""
    other = overlap(account, catalogue, plan, now, prepaid=provider in PREPAID)
    if other is None:
        return
    until = rfc3339(other.ends_at)
    detail = f"you have prepaid until {until}: the card would be charged from today, beside it"
    if other.kind == "owned":
        detail = f"you own {other.plan.name} {f'until {until}' if until else 'for good'}: this would be paid beside it"
    elif other.kind == "card":
        detail = (
            f"your card already pays for {other.plan.name} until {until} {'and renews then' if other.renews else ''}: "
            "what you buy now would run beside it, not after it"
        )
    raise Conflict(
        detail,
        code="overlap",
        plan_id=other.plan.plan_id,
        ends_at=until,
        charges=[_charge(other.plan, again=other.renews), _charge(plan, again=True)],
    )


def _charge(plan: Plan, *, again: bool) -> Mapping[str, Any]:
    """What is or was paid for a plan; `again`: it is still to come."""
    return {
        "plan_id": plan.plan_id,
        "amount_cents": plan.price_cents,
        "currency": plan.currency,
        "interval": plan.interval,
        "to_come": again,
    }


def _with(account: Account, facts: Sequence[Fact], catalogue: Catalogue) -> Account:
    for fact in facts:
        result = apply(account, fact, catalogue)
        account = result if isinstance(result, Account) else account
    return account


def _same(checkout: Checkout, plan: Plan, provider: str) -> bool:
    return (checkout.plan_id, checkout.plan_version, checkout.provider) == (plan.plan_id, plan.version, provider)


def _payable(checkout: Checkout, now: int) -> bool:
    return checkout.status == "open" and bool(checkout.url) and checkout.expires_at > now + _REUSE_MARGIN


def _noted(checkout: Checkout, now: int) -> bool:
    """Whether the provider was asked for this page, or is being asked now, and enough time is left to pay it."""
    return checkout.status == "opening" and checkout.expires_at - now >= _SHORTEST


def _opened(checkout: Checkout, session: Session) -> Checkout:
    return replace(
        checkout, status="open", session_id=session.session_id, url=session.url, expires_at=session.expires_at
    )


def _find(account: Account, checkout_id: str) -> Checkout:
    checkout = next((c for c in account.checkouts if c.checkout_id == checkout_id), None)
    if checkout is None:
        raise NotFound("there is no such checkout")
    return checkout


def _view(checkout: Checkout, *, reused: bool) -> Mapping[str, Any]:
    return {
        "checkout_id": checkout.checkout_id,
        "provider": checkout.provider,
        "url": checkout.url,
        "expires_at": rfc3339(checkout.expires_at),
        "reused": reused,
    }
