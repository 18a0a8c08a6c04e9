"""What a provider has to offer: the members of its module, the calls toward it, and what they take and give back.

A provider module has, importable without its SDK:

- `verify(body, headers, secrets, now) -> label`: which secret signed it ("1", "2", ...); raises `BadWebhook`.
- `minimise(body) -> Notification`: the allow-listed part of a delivery; raises `BadWebhook` when it is malformed.
- `translate(notification) -> Translation`: what it means.
- `connect(settings) -> Client`: the calls toward the provider (imports what they need).
- `page_of(settings, kind, object_id)`: its own page about an object, for those who run the shop, if it has one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from billing.data import dataclass
from billing.rules.facts import Fact, Ref, RefundFact, Translation
from billing.rules.plans import Plan
from billing.rules.records import PurchaseState

if TYPE_CHECKING:
    from billing.settings import Settings


ObjectKind = Literal["customer", "subscription", "payment"]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one thing of an account at a provider is set up, and what to do where it is not."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A verified delivery, cut down to what facts are made from: safe to queue, to keep and to replay.

    `event_id` deduplicates (for a provider without event ids: object id and resulting state).
    `created_at` is the provider's time in Unix seconds. `livemode` None: the provider does not tell.
    """

    provider: str
    event_id: str
    type: str
    created_at: int
    livemode: bool | None
    payload: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The primary key of the payment event: stripe#evt_1."""
        return f"{self.provider}#{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An entry of a provider's list that cannot be made sense of: it is reported, and the list goes on."""

    object_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A checkout to open at a provider. `checkout_id` is the idempotency key; `amount_cents` the price to charge.

    `repeated`: it may have been asked for before, and the answer lost. `gift`: one interval of the plan is paid once,
    for somebody else; nothing renews. `lightning_minutes`: an invoice over Lightning alone, for so long; 0: a page for
    the buyer.
    """

    checkout_id: str
    user_id: str
    plan: Plan
    amount_cents: int
    currency: str
    success_url: str
    cancel_url: str
    expires_at: int
    customer_id: str | None = None
    trial_days: int = 0
    repeated: bool = False
    gift: bool = False
    lightning_minutes: int = 0

    @property
    def recurring(self) -> bool:
        return self.plan.recurring and not self.gift

    @property
    def metadata(self) -> dict[str, str]:
        """What every object at the provider carries, so that each of its events names its user. No personal data."""
        return {
            "user_id": self.user_id,
            "plan_id": self.plan.plan_id,
            "plan_version": str(self.plan.version),
            "checkout_id": self.checkout_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A hosted checkout. `url` lets anybody pay this order: hand it to the buyer, never log it."""

    session_id: str
    url: str
    expires_at: int
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """What a plan change costs, computed by the provider: minor units, `credit_cents` as a positive number.

    What is due now, and what the next bill comes to, each with its tax, and less the discount that it has.
    """

    amount_due_cents: int
    credit_cents: int
    currency: str
    next_amount_cents: int
    next_billing_at: int
    tax_cents: int = 0
    discount_cents: int = 0
    next_tax_cents: int = 0
    next_discount_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundParts:
    """What became of a refund: facts of what goes back, in as many parts as the payment was made in.

    `refused`: the provider's words about each part that it would not give back. `outside_cents` was paid past the
    provider (cash, a transfer), which therefore cannot give it back.
    """

    facts: tuple[RefundFact, ...] = ()
    refused: tuple[str, ...] = ()
    outside_cents: int = 0


class Client(Protocol):
    """The calls toward a provider. Failures raise `ProviderError`/`ProviderUnavailable` with the provider's words.

    Every call that creates something is safe to repeat with the same `key`.
    """

    def create_checkout(self, order: Order) -> Session: ...

    def expire_checkout(self, session_id: str) -> None: ...

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """The object as it is now, as facts by the provider's clock; empty for one that has nothing to do with us."""
        ...

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        """`reason` is a word of a closed list; `comment` is the customer's own, handed on."""
        ...

    def resume_subscription(self, subscription_id: str, *, key: str) -> None: ...

    def preview_change(
        self, subscription_id: str, item_id: str, plan: Plan, proration_date: int, *, at_period_end: bool = False
    ) -> ChangePreview:
        """`at_period_end`: nothing is due now, and the next bill is the first of the new plan."""
        ...

    def change_subscription(
        self, subscription_id: str, item_id: str, plan: Plan, *, at_period_end: bool, proration_date: int, key: str
    ) -> None: ...

    def portal_url(self, customer_id: str, return_url: str) -> str: ...

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Refund part, or with None the rest, of a payment.

        `key` stands on the provider's object, and its facts carry it as `request_id`. `ProviderError` means that
        nothing went back, `ProviderUnavailable` that it is not known: asked again, the call finds what the first made.
        """
        ...

    def receipt_url(self, payment_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSync:
    """How a provider's price for a plan version stands. `price_id` None: there is none yet (a dry run).

    `changes`: what was, or would be, done. `problems`: what cannot be mended, since a price's amount never changes.
    """

    plan_id: str
    version: int
    price_id: str | None
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class RecurringProviderClient(Client, Protocol):
    """What a provider that charges again by itself can do besides: hold prices, and tell what it has."""

    def confirm_url(self, subscription_id: str) -> str | None:
        """Where the customer gives the bank the word that it wants for the open payment; None when it wants none.

        Whoever has the link can pay: hand it to the customer, never store it.
        """
        ...

    def stop_collecting(self, subscription_id: str) -> None:
        """No further try at what is open: it stays owed, and opens nothing."""
        ...

    def sync_plan(self, plan: Plan, *, dry_run: bool) -> PlanSync:
        """Makes the provider's price what the plan says; a repeat changes nothing."""
        ...

    def subscriptions(
        self, after: str | None, customer_id: str | None, now: int
    ) -> tuple[Sequence[Fact | Unreadable], str | None]:
        """One page of the live subscriptions with their last payments, and where the next one starts."""
        ...

    def events(self, since: int, after: str | None) -> tuple[Sequence[Notification | Unreadable], str | None]:
        """One page of the events since a time (Unix seconds), and where the next one starts."""
        ...

    def event(self, event_id: str) -> Notification:
        """One event again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoInvoice:
    """An invoice to be paid in bitcoin, as a page shows it. Amounts in bitcoin are exact decimal texts.

    `bip21` is the URI a wallet opens (with `lightning=` where the provider has both), `lightning` a BOLT 11 invoice.
    `confirmations`: how many the network has to give until it counts, `confirmed`: how many it has given so far; None:
    not told. `transactions`: by which it came.
    Handed to the buyer on demand, never stored.
    """

    purchase_id: str
    state: PurchaseState
    amount_cents: int
    received_cents: int
    due_cents: int
    surplus_cents: int
    currency: str
    amount_btc: str | None
    due_btc: str | None
    address: str | None
    bip21: str | None
    lightning: str | None
    created_at: int
    expires_at: int
    server_time: int
    url: str
    confirmations: int | None = None
    confirmed: int | None = None
    transactions: tuple[str, ...] = ()


class PrepaidProviderClient(Client, Protocol):
    """What the bitcoin providers can do besides: show an invoice, and say where a refund is claimed."""

    @property
    def cannot_see(self) -> Sequence[str]:
        """What this set-up is not told, in stable words: docs/bitcoin.md says what follows from each."""
        ...

    def listed_refunds(self) -> Mapping[str, Sequence[str]]:
        """The ids of refunds by the invoice they belong to, where they have to be looked for: `read` reads one."""
        ...

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice: ...

    def refund_url(self, refund_id: str) -> str | None:
        """A link by which the buyer claims the refund: hand it over, never store it. None: nothing to claim."""
        ...


class Provider(Protocol):
    """The members of a provider module."""

    NAME: str

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str: ...

    def minimise(self, body: bytes) -> Notification: ...

    def translate(self, notification: Notification) -> Translation: ...

    def connect(self, settings: "Settings") -> Client: ...

    def page_of(self, settings: "Settings", kind: ObjectKind, object_id: str) -> str | None: ...
