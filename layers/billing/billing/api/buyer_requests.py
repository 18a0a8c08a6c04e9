"""Request bodies of buyers, and of calls without a token."""

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
    user_id: Id | None = Field(None, description="Must be the caller's own, else 403")
    quote_id: Id | None = Field(None, description="The quote that was shown; 409 `quote_outdated` if it has changed")
    accept_overlap: bool = Field(
        False, description="After a 409 `overlap`: the buyer agrees to pay for both at the same time"
    )
    gift: bool = Field(False, description="Buy a voucher for one interval of the plan, paid once, without renewal")


class TrackEvent(RequestBody):
    """A funnel step, counted anonymously."""

    event: Literal["paywall_seen", "pricing_viewed", "checkout_started"]
    feature: FeatureKey | None = None
    plan_id: PlanId | None = None


class UsageItem(RequestBody):
    feature: FeatureKey
    amount: int = Field(1, ge=1, le=1_000_000)


class UseFeature(UsageItem):
    """`consume` at once, or `reserve` first and later `settle` (at most that amount) or `release` by
    `reservation_id`."""

    action: Literal["consume", "reserve", "settle", "release"] = "consume"
    idempotency_key: IdempotencyKey | None = None
    reservation_id: Id | None = None
    expires_in: int = Field(300, ge=10, le=3600, description="Seconds until a reservation expires")


class UseFeatures(RequestBody):
    """Several independent calls."""

    items: list[UseFeature] = Field(min_length=1, max_length=25)


SubscriptionId = Annotated[
    Id | None,
    Field(description="Required if the buyer has several subscriptions, else 409 `subscription_unclear`"),
]


class PreviewChange(RequestBody):
    plan_id: PlanId
    subscription_id: SubscriptionId = None


class CancelSubscription(RequestBody):
    subscription_id: SubscriptionId = None
    at_period_end: bool = True
    reason: CancelReason | None = None
    comment: str | None = Field(
        None, max_length=500, description="Passed to the provider; stored for 180 days, for the shop's admins"
    )


class ResumeSubscription(RequestBody):
    subscription_id: SubscriptionId = None


class SignInWithNostr(RequestBody):
    """The signed NIP-98 event is in the Authorization header; its payload hash covers this body."""

    link_to: str | None = Field(None, max_length=4096, description="A session token of the account to link this key to")


class RefreshSession(RequestBody):
    refresh_token: str = Field(min_length=20, max_length=200)


class RenewTerm(RequestBody):
    provider: ProviderName | None = Field(None, description="Default: the provider of the last term")


class SetReminders(RequestBody):
    wanted: bool


class MakeCalendarFeed(RequestBody):
    language: Language = Field("en", description="Of the entries")


Satoshis = Annotated[int, Field(ge=1, le=10_000_000, description="Limit for one term, at any exchange rate")]


class SayOfConnection(RequestBody):
    """What the buyer says about the connection. A budget that the wallet reports itself takes precedence."""

    budget_sat: Satoshis | None = None
    period: Literal["daily", "weekly", "monthly", "yearly", "never"] = "never"
    ends_at: UnixTime | None = Field(None, description="When the connection expires")


class ConnectWallet(RequestBody):
    """`connection` can pay from the buyer's wallet: it is encrypted at once and never shown again."""

    connection: str = Field(
        min_length=1, max_length=4096, description="nostr+walletconnect://…, as copied from the wallet"
    )
    plan_id: PlanId = Field(description="The plan to renew; the buyer agrees to its current price")
    most_sat: Satoshis
    accept_unlimited: bool = Field(
        False, description="After a 409 `wallet_unlimited`: the buyer accepts that the connection has no budget"
    )
    said: SayOfConnection | None = None


DaysBefore = Annotated[
    list[Annotated[int, Field(ge=1, le=60)]],
    Field(min_length=1, max_length=6, description="Days before an end to send a reminder"),
]


class SetMessages(RequestBody):
    days: DaysBefore
    language: Language


class AskForMessages(SetMessages):
    key: str = Field(min_length=1, max_length=80, description="A public key: npub1…, or as 64 hex digits")


class ConfirmMessages(RequestBody):
    code: str = Field(min_length=1, max_length=20, description="From the message")


class SetWallet(RequestBody):
    paused: bool | None = None
    most_sat: Satoshis | None = None
    price_cents: int | None = Field(
        None, ge=0, description="Agree to the current price; 409 `quote_outdated` if it is another by now"
    )
    said: SayOfConnection | None = Field(None, description="Replaces what was said before; absent: unchanged")


VoucherCode = Annotated[
    str, Field(min_length=1, max_length=60, description="As typed: spaces, dashes and case are ignored")
]


class RedeemVoucher(RequestBody):
    code: VoucherCode
