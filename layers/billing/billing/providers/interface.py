"""The provider interface: the members of a provider module, its client, and the types they exchange.

A provider module has these members, importable without its SDK:

- `verify(body, headers, secrets, now) -> label`: which secret signed the body ("1", "2", ...); raises `BadWebhook`.
- `minimise(body) -> Notification`: the allow-listed part of a delivery; raises `BadWebhook` when it is malformed.
- `translate(notification) -> Translation`: the facts in it, or the objects to read.
- `connect(settings) -> Client`: the API client; imports the SDK if there is one.
- `page_of(settings, kind, object_id)`: the URL of an object in the provider's dashboard, if there is one.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    """One check of the provider account's set-up; `remedy` says how to fix it."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A verified delivery, reduced to what facts are made from: safe to queue, store and replay.

    `event_id` deduplicates (for a provider without event ids: object id and resulting state).
    `created_at` is the provider's time in Unix seconds. `livemode` None: the provider does not say.
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
    """An entry of a provider's list that cannot be parsed: it is reported and skipped."""

    object_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A checkout to open at a provider. `checkout_id` is the idempotency key; `amount_cents` the price to charge.

    `repeated`: an earlier request may have succeeded with its answer lost. `gift`: one interval of the plan is paid
    once, for another person; nothing renews. `lightning_minutes`: a Lightning-only invoice valid that long; 0: a
    hosted page for the buyer.
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
        """Metadata of every object at the provider, so that each event names its user. No personal data."""
        return {
            "user_id": self.user_id,
            "plan_id": self.plan.plan_id,
            "plan_version": str(self.plan.version),
            "checkout_id": self.checkout_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A hosted checkout. Anyone with `url` can pay the order: give it to the buyer only, never log it."""

    session_id: str
    url: str
    expires_at: int
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """The cost of a plan change, computed by the provider, in minor units; `credit_cents` is positive.

    The amount due now and the amount of the next bill both include tax and have the discount deducted.
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
    """The result of a refund: one fact for each part of the payment that is refunded.

    `refused`: the provider's error text for each part that it did not refund. `outside_cents` was paid outside the
    provider (cash, a transfer), so it cannot refund it.
    """

    facts: tuple[RefundFact, ...] = ()
    refused: tuple[str, ...] = ()
    outside_cents: int = 0


class Client(Protocol):
    """A provider's API. Failures raise `ProviderError`/`ProviderUnavailable` with the provider's error text.

    Every call that creates something is idempotent by its `key`.
    """

    def create_checkout(self, order: Order) -> Session: ...

    def expire_checkout(self, session_id: str) -> None: ...

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """The current state of the object as facts, dated by the provider's clock; empty if it is not ours."""
        ...

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        """`reason` is from a closed list; `comment` is the customer's text, passed on to the provider."""
        ...

    def resume_subscription(self, subscription_id: str, *, key: str) -> None: ...

    def preview_change(
        self, subscription_id: str, item_id: str, plan: Plan, proration_date: int, *, at_period_end: bool = False
    ) -> ChangePreview:
        """`at_period_end`: nothing is due now; the next bill is the first of the new plan."""
        ...

    def change_subscription(
        self, subscription_id: str, item_id: str, plan: Plan, *, at_period_end: bool, proration_date: int, key: str
    ) -> None: ...

    def portal_url(self, customer_id: str, return_url: str) -> str: ...

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Refund `amount_cents` of a payment, or with None all that is left.

        `key` is stored on the provider's refund and returned in its facts as `request_id`. `ProviderError`: nothing was
        refunded. `ProviderUnavailable`: the outcome is unknown; a repeated call finds a refund that was made.
        """
        ...

    def receipt_url(self, payment_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSync:
    """The result of comparing a provider's price with a plan version. `price_id` None: none exists yet (a dry run).

    `changes`: what was done, or would be. `problems`: differences that cannot be fixed, as a price is immutable.
    """

    plan_id: str
    version: int
    price_id: str | None
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class RecurringProviderClient(Client, Protocol):
    """Further calls of a provider that renews automatically: prices, and lists of its subscriptions and events."""

    def confirm_url(self, subscription_id: str) -> str | None:
        """The page where the customer confirms the open payment to their bank (3-D Secure); None when not needed.

        Anyone with the link can pay: give it to the customer only, never store it.
        """
        ...

    def stop_collecting(self, subscription_id: str) -> None:
        """Stop retrying open invoices. They stay unpaid and give no access."""
        ...

    def sync_plan(self, plan: Plan, *, dry_run: bool) -> PlanSync:
        """Create or update the provider's price to match the plan. Idempotent."""
        ...

    def subscriptions(
        self, after: str | None, customer_id: str | None, now: int
    ) -> tuple[Sequence[Fact | Unreadable], str | None]:
        """One page of the live subscriptions with their last payments, and the cursor of the next page."""
        ...

    def events(self, since: int, after: str | None) -> tuple[Sequence[Notification | Unreadable], str | None]:
        """One page of the events since a time (Unix seconds), and the cursor of the next page."""
        ...

    def event(self, event_id: str) -> Notification:
        """Read one event by its id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoInvoice:
    """A bitcoin invoice for the payment page. Bitcoin amounts are exact decimal texts. Never stored.

    `bip21` is the URI a wallet opens (with `lightning=` where the provider has both), `lightning` a BOLT 11 invoice.
    `confirmations`: how many are required, `confirmed`: how many there are; None: unknown. `transactions`: the on-chain
    ids of the payments.
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
    """Further calls of the bitcoin providers: invoices and refund links. What they read is dated `now`, not by the
    provider's clock."""

    def check(self) -> Iterator[Check]:
        """Check the account's set-up without changing anything. Raises `ProviderError` when it does not answer."""
        ...

    @property
    def cannot_see(self) -> Sequence[str]:
        """Stable codes for what this set-up cannot observe; docs/bitcoin.md explains each."""
        ...

    def listed_refunds(self) -> Mapping[str, Sequence[str]]:
        """Refund ids by invoice id, for a provider whose refunds must be searched for; `read` reads one."""
        ...

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice: ...

    def refund_url(self, refund_id: str) -> str | None:
        """The link where the buyer claims the refund; never store it. None: the provider sends it by itself."""
        ...


class Provider(Protocol):
    """The members of a provider module."""

    NAME: str

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str: ...

    def minimise(self, body: bytes) -> Notification: ...

    def translate(self, notification: Notification) -> Translation: ...

    def connect(self, settings: "Settings") -> Client: ...

    def page_of(self, settings: "Settings", kind: ObjectKind, object_id: str) -> str | None: ...
