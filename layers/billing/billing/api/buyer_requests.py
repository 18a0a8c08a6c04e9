"""Request bodies of buyers, and of those who have no token yet."""

from typing import Annotated, Literal

from pydantic import Field

from billing.api.requests import (
    CancelReason,
    FeatureKey,
    Id,
    IdempotencyKey,
    PlanId,
    ProviderName,
    RequestBody,
    UnixTime,
)
from billing.rules.languages import Language


class CreateCheckoutSession(RequestBody):
    plan_id: PlanId
    provider: ProviderName | None = Field(None, description="Default: the first provider on offer")
    user_id: Id | None = Field(None, description="Only the caller's own; anything else is 403")
    quote_id: Id | None = Field(None, description="The terms that were shown; others by now are a 409 `quote_outdated`")
    accept_overlap: bool = Field(
        False, description="After a 409 `overlap`: the buyer knows that both will be paid, side by side"
    )
    gift: bool = Field(False, description="Buy a voucher for one interval of the plan, paid once; it renews nothing")


class TrackEvent(RequestBody):
    """A funnel step, counted without any identity."""

    event: Literal["paywall_seen", "pricing_viewed", "checkout_started"]
    feature: FeatureKey | None = None
    plan_id: PlanId | None = None


class UsageItem(RequestBody):
    feature: FeatureKey
    amount: int = Field(1, ge=1, le=1_000_000)


class UseFeature(UsageItem):
    """`consume` at once, or `reserve` now and `settle` (perhaps less) or `release` later by `reservation_id`."""

    action: Literal["consume", "reserve", "settle", "release"] = "consume"
    idempotency_key: IdempotencyKey | None = None
    reservation_id: Id | None = None
    expires_in: int = Field(300, ge=10, le=3600, description="Seconds a reservation holds")


class UseFeatures(RequestBody):
    """Several at once, each judged alone."""

    items: list[UseFeature] = Field(min_length=1, max_length=25)


SubscriptionId = Annotated[
    Id | None,
    Field(description="Which subscription is meant; needed where several could be, else a 409 `subscription_unclear`"),
]


class PreviewChange(RequestBody):
    plan_id: PlanId
    subscription_id: SubscriptionId = None


class CancelSubscription(RequestBody):
    subscription_id: SubscriptionId = None
    at_period_end: bool = True
    reason: CancelReason | None = None
    comment: str | None = Field(
        None, max_length=500, description="Passed to the provider; kept here for 180 days, for whoever runs the shop"
    )


class ResumeSubscription(RequestBody):
    subscription_id: SubscriptionId = None


class SignInWithNostr(RequestBody):
    """The signed NIP-98 event travels in the Authorization header; its payload hash covers this body."""

    link_to: str | None = Field(
        None, max_length=4096, description="A session token of the account that this key shall open from now on"
    )


class RefreshSession(RequestBody):
    refresh_token: str = Field(min_length=20, max_length=200)


class RenewTerm(RequestBody):
    provider: ProviderName | None = Field(None, description="Default: where the last term was bought")


class SetReminders(RequestBody):
    wanted: bool


class MakeCalendarFeed(RequestBody):
    language: Language = Field("en", description="Of what the entries say")


Satoshis = Annotated[int, Field(ge=1, le=10_000_000, description="At most so many for one term, whatever the rate")]


class SayOfConnection(RequestBody):
    """What the buyer knows of the connection, where the wallet does not tell; a budget that it tells goes before it."""

    budget_sat: Satoshis | None = None
    period: Literal["daily", "weekly", "monthly", "yearly", "never"] = "never"
    ends_at: UnixTime | None = Field(None, description="From then on the connection is over")


class ConnectWallet(RequestBody):
    """`connection` can pay from the buyer's wallet: it is sealed at once, and shown to nobody again."""

    connection: str = Field(
        min_length=1, max_length=4096, description="nostr+walletconnect://…, as the wallet gives it"
    )
    plan_id: PlanId = Field(description="What is to be renewed; its price of today is what is agreed to")
    most_sat: Satoshis
    accept_unlimited: bool = Field(
        False, description="After a 409 `wallet_unlimited`: the buyer knows that the connection has no budget"
    )
    said: SayOfConnection | None = None


DaysBefore = Annotated[
    list[Annotated[int, Field(ge=1, le=60)]],
    Field(min_length=1, max_length=6, description="How many days before an end"),
]


class SetMessages(RequestBody):
    days: DaysBefore
    language: Language


class AskForMessages(SetMessages):
    key: str = Field(min_length=1, max_length=80, description="A public key: npub1…, or as 64 hex digits")


class ConfirmMessages(RequestBody):
    code: str = Field(min_length=1, max_length=20, description="As it came in the message")


class SetWallet(RequestBody):
    paused: bool | None = None
    most_sat: Satoshis | None = None
    price_cents: int | None = Field(
        None, ge=0, description="Today's price, to agree to it; another one by now is a 409 `quote_outdated`"
    )
    said: SayOfConnection | None = Field(None, description="All that is known from now on; left out, it stays")


VoucherCode = Annotated[
    str, Field(min_length=1, max_length=60, description="As it was typed: spaces, dashes and case count for nothing")
]


class RedeemVoucher(RequestBody):
    code: VoucherCode
