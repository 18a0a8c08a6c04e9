"""Checkout: open one hosted payment page per user and group of plans, and confirm it on return without waiting."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound, ProviderError, ProviderUnavailable
from billing.intake.applier import Applier
from billing.providers import PREPAID, sellers
from billing.providers.interface import Client, Order, Session
from billing.rules.apply import apply
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Fact, Ref
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import obstacle, overlap, quote, trial_days
from billing.rules.records import UNDER_WAY, Account, Checkout
from billing.rules.renewal import INVOICE_MINUTES, paid_by_hand_from
from billing.rules.times import rfc3339
from billing.rules.vouchers import GIFT_GROUP, gift_checkout
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

# Seconds a hosted page stays payable; Stripe accepts from 30 minutes to a day.
CHECKOUT_SECONDS = 3600
# Less than this is no page to ask for: an order that was noted too long ago, before a crash, is given up.
_SHORTEST = 1800
# A session about to end is not handed out again.
_REUSE_MARGIN = 120


class Checkouts:
    """`offered`: the providers of this stack, in order; `client(name)`: the calls toward one.

    `moved(user_id)`: whether no key opens an account any more, so that nobody could use what is bought for it.
    `voucher_secret`: what the codes of gifts are drawn from; None sells none.
    """

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        client: Callable[[str], Client],
        offered: Sequence[str],
        portal_url: str,
        moved: Callable[[str], bool] = lambda _: False,
        voucher_secret: Callable[[], str] | None = None,
    ) -> None:
        self._moved = moved
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
        the buyer was shown; others by now are refused. `gift`: it buys a voucher, and whatever the buyer has is no
        matter.
        """
        plan = self._plan_for_sale(plan_id)
        provider = self._provider_for(plan, provider)
        if self._moved(user_id):
            raise Conflict("your key opens another account now: sign in again, then buy there", code="account_moved")
        before = self._accounts.load(user_id)
        group = GIFT_GROUP if gift else plan.group
        if not gift:
            self._look_whether_it_is_paid(before, plan, now)
        self._confirm_open_page(before, group, plan, provider, now)
        asked_before = False

        def note(account: Account) -> Consequences | None:
            nonlocal asked_before
            if not gift:
                self._refuse(account, plan, provider, now, accept_overlap=accept_overlap, quote_id=quote_id)
            noted = self._note(account, group, plan, provider, now)
            asked_before = noted is None
            return noted

        account = self._accounts.change(user_id, note)
        checkout = account.checkout_in(group)
        assert checkout is not None
        if _payable(checkout, now):
            return _view(checkout, reused=True)
        self._look_at_ended(before.checkout_in(group), user_id, now)
        return _view(self.open_noted(account, checkout, plan, now, repeated=asked_before), reused=False)

    def open_noted(self, account: Account, checkout: Checkout, plan: Plan, now: int, *, repeated: bool) -> Checkout:
        """Asks the provider for what is on record as `opening`, and puts on record what it answers.

        `repeated`: it may have been asked before, and the answer lost.
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

    def _refuse(
        self, account: Account, plan: Plan, provider: str, now: int, *, accept_overlap: bool, quote_id: str | None
    ) -> None:
        """Raises where the buyer has it already, was shown other terms, or has not read what it would run beside."""
        catalogue = self._plans.catalogue()
        refuse_double(account, catalogue, plan, provider)
        _refuse_beside_wallet(account, plan, now)
        if quote_id is not None:
            _refuse_other_terms(account, catalogue, plan, provider, now, quote_id)
        if not accept_overlap:
            explain_overlap(account, catalogue, plan, provider, now)

    def _note(self, account: Account, group: str, plan: Plan, provider: str, now: int) -> Consequences | None:
        """Notes the intent first: after a crash, or from a second tab, the provider is asked for the same session.

        None: what is on record is this very intent. A page for something else is closed at the provider.
        """
        known = account.checkout_in(group)
        same = known is not None and _same(known, plan, provider)
        if known and same and (_payable(known, now) or _noted(known, now)):
            return None
        if (
            known
            and not (same and known.url)
            and known.status == "open"
            and known.session_id
            and known.expires_at > now
        ):
            self._client(known.provider).expire_checkout(known.session_id)
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
        return consequences(account, account.put(checkout), self._plans.catalogue(), now)

    def _checkout_id(self, *, gift: bool) -> str:
        if not gift:
            return f"chk_{uuid.uuid4().hex}"
        if self._voucher_secret is None:
            raise InvalidRequest("no gifts are sold here", errors=[{"path": "gift", "message": "not on offer"}])
        return gift_checkout(self._voucher_secret(), uuid.uuid4().hex[:20])

    def _look_whether_it_is_paid(self, account: Account, plan: Plan, now: int) -> None:
        """Of a plan that is bought once, an invoice in bitcoin that was open is read before another one is opened: its
        page may have run out while the money was on its way."""
        if plan.recurring or plan.duration_days is not None:
            return
        for purchase in account.purchases:
            if purchase.plan_id == plan.plan_id and purchase.provider in PREPAID and purchase.state in UNDER_WAY:
                self._read(account.user_id, purchase.provider, purchase.purchase_id, now)

    def _confirm_open_page(self, account: Account, group: str, plan: Plan, provider: str, now: int) -> None:
        """A card's page that was open may be paid, and its webhook late: it is confirmed, never replaced.

        For another plan it is closed first, so that nobody pays it while it is read. For the same one, unknown is no
        fault: the page itself takes no second payment.
        """
        known = account.checkout_in(group)
        if known is None or known.status != "open" or not known.session_id or known.provider in PREPAID:
            return
        client, same = self._client(known.provider), _same(known, plan, provider) and _payable(known, now)
        try:
            if not same and known.expires_at > now:
                client.expire_checkout(known.session_id)
            facts = client.read(Ref("checkout", known.session_id), now)
        except ProviderUnavailable:
            if not same:
                raise
        else:
            Applier(self._accounts, self._plans, self._client).apply(account.user_id, known.provider, facts, now)

    def _look_at_ended(self, page: Checkout | None, user_id: str, now: int) -> None:
        """An invoice in bitcoin whose page was closed just now may have been paid in that moment. If nobody can say
        that now, the next look at it will."""
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
        """Puts the provider's page on record, with what it says of the session, such as a purchase that is pending."""
        current = account.checkout_in(checkout.group)
        if current is None or current.checkout_id != checkout.checkout_id or current.status != "opening":
            return None
        catalogue = self._plans.catalogue()
        after = account.put(_opened(current, session))
        if checkout.provider in PREPAID:  # dated by when we asked, as all that is read of them later
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
            raise InvalidRequest(
                f"{plan.name} cannot be bought that way", errors=[{"path": "provider", "message": f"one of {able}"}]
            )
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


def refuse_double(account: Account, catalogue: Catalogue, plan: Plan, provider: str) -> None:
    """A second subscription in a group would bill twice: name the call that changes the first instead."""
    found = obstacle(account, catalogue, plan, prepaid=provider in PREPAID)
    if found is None:
        return
    if found.code == "payment_on_its_way":
        raise Conflict(
            f"a payment for {plan.name} is on its way, or is being looked at: to pay again would pay twice",
            code=found.code,
            plan_id=plan.plan_id,
        )
    if found.code == "already_purchased":
        raise Conflict(f"you own {plan.name} already", code=found.code, plan_id=plan.plan_id)
    raise Conflict(
        f"you are subscribed to {found.plan.name}: change that subscription instead",
        code=found.code,
        plan_id=found.plan.plan_id,
        change="/billing/subscription/preview-change",
    )


def _refuse_beside_wallet(account: Account, plan: Plan, now: int) -> None:
    """While the buyer's wallet may still pay a renewal, a second invoice could be paid besides."""
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
    """A card subscription and a bitcoin term may stand side by side, but nobody should pay for both unawares."""
    found = overlap(account, catalogue, plan, now, prepaid=provider in PREPAID)
    if found is None:
        return
    until = rfc3339(found.ends_at)
    detail = f"you have prepaid until {until}: the card would be charged from today, beside it"
    if found.kind == "owned":
        detail = f"you own {found.plan.name} {f'until {until}' if until else 'for good'}: this would be paid beside it"
    elif found.kind == "card":
        detail = (
            f"your card already pays for {found.plan.name} until {until} {'and renews then' if found.renews else ''}: "
            "what you buy now would run beside it, not after it"
        )
    raise Conflict(
        detail,
        code="overlap",
        plan_id=found.plan.plan_id,
        ends_at=until,
        charges=[_charge(found.plan, again=found.renews), _charge(plan, again=True)],
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
        told = apply(account, fact, catalogue)
        account = told if isinstance(told, Account) else account
    return account


def _same(checkout: Checkout, plan: Plan, provider: str) -> bool:
    return (checkout.plan_id, checkout.plan_version, checkout.provider) == (plan.plan_id, plan.version, provider)


def _payable(checkout: Checkout, now: int) -> bool:
    return checkout.status == "open" and bool(checkout.url) and checkout.expires_at > now + _REUSE_MARGIN


def _noted(checkout: Checkout, now: int) -> bool:
    """The provider was, or is just now being, asked for this page, and there is time enough left for it."""
    return checkout.status == "opening" and checkout.expires_at - now >= _SHORTEST


def _opened(checkout: Checkout, session: Session) -> Checkout:
    return replace(
        checkout, status="open", session_id=session.session_id, url=session.url, expires_at=session.expires_at
    )


def _find(account: Account, checkout_id: str) -> Checkout:
    found = next((c for c in account.checkouts if c.checkout_id == checkout_id), None)
    if found is None:
        raise NotFound("there is no such checkout")
    return found


def _view(checkout: Checkout, *, reused: bool) -> Mapping[str, Any]:
    return {
        "checkout_id": checkout.checkout_id,
        "provider": checkout.provider,
        "url": checkout.url,
        "expires_at": rfc3339(checkout.expires_at),
        "reused": reused,
    }
