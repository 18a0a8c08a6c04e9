"""What a payment event is about: amount, plan and user, as far as its payload and our records say."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.data import dataclass
from billing.intake.processing import notification_of
from billing.providers import PROVIDERS, load
from billing.rules.facts import DisputeFact, PaymentFact, PurchaseFact, RefundFact, Translation
from billing.rules.past import whole
from billing.rules.plans import Catalogue
from billing.rules.records import Account, Purchase, Subscription
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEvent
from billing.store.plans import PlanStore

_MONEY = (PaymentFact, PurchaseFact, RefundFact, DisputeFact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """None: neither the event nor our records say."""

    user_id: str | None = None
    plan_id: str | None = None
    amount_cents: int | None = None
    currency: str | None = None


class Subjects:
    def __init__(self, accounts: AccountStore, plans: PlanStore) -> None:
        self._accounts = accounts
        self._plans = plans

    def of(self, event: PaymentEvent, accounts: dict[str, Account]) -> Subject:
        """`accounts` keeps the accounts that were read for other events of the page."""
        meaning = _meaning(event)
        facts = meaning.facts
        user_id = event.user_id or _first(fact.user_id for fact in facts)
        money = next((fact for fact in facts if isinstance(fact, _MONEY)), None)
        plan_id = _first(getattr(fact, "plan_id", None) for fact in facts)
        plan_id = plan_id or _first(self._by_price(event.provider, getattr(fact, "price_id", None)) for fact in facts)
        known_already = money is not None and plan_id is not None
        ours = self._ours(event, meaning, user_id, accounts) if user_id and not known_already else Subject()
        return Subject(
            user_id=user_id,
            plan_id=plan_id or ours.plan_id,
            amount_cents=money.amount_cents if money else ours.amount_cents,
            currency=money.currency if money else ours.currency,
        )

    def _by_price(self, provider: str, price_id: str | None) -> str | None:
        plan = self._catalogue.by_price(provider, price_id) if price_id else None
        return plan.plan_id if plan else None

    @property
    def _catalogue(self) -> Catalogue:
        return self._plans.catalogue()

    def _ours(self, event: PaymentEvent, meaning: Translation, user_id: str, accounts: dict[str, Account]) -> Subject:
        """What our record of the event's object says, for what the event itself leaves out."""
        if user_id not in accounts:
            accounts[user_id] = self._accounts.load(user_id, whole=True)
        named = {*_ids(event.payload), *(ref.id.partition("/")[0] for ref in meaning.rereads)}
        for record in accounts[user_id].records.values():
            if not isinstance(record, Subscription | Purchase) or record.provider != event.provider:
                continue
            if isinstance(record, Purchase):
                if named & {record.purchase_id, *(record.payment.refs if record.payment else ())}:
                    return Subject(plan_id=record.plan_id, amount_cents=record.amount_cents, currency=record.currency)
                continue
            paid = next(
                (p for p in whole(accounts[user_id], record).values() if named & {p.payment_id, *p.refs}),
                None,
            )
            if paid is not None:
                return Subject(
                    plan_id=paid.plan_id or record.plan_id, amount_cents=paid.amount_cents, currency=paid.currency
                )
            if record.subscription_id in named:
                return Subject(plan_id=record.plan_id)
        return Subject()


def _meaning(event: PaymentEvent) -> Translation:
    """Nothing for a payload that was erased, or has an older format."""
    if not event.payload or event.provider not in PROVIDERS:
        return Translation()
    try:
        return load(event.provider).translate(notification_of(event))
    except (KeyError, TypeError, ValueError):
        return Translation()


def _ids(value: Any) -> Iterator[str]:
    """Every text of a payload: its ids are among them."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner)
    elif isinstance(value, str):
        yield value


def _first(values: Iterator[str | None]) -> str | None:
    return next((value for value in values if value), None)
