"""Request bodies. Unknown fields, wrong types and oversize values are refused; every text has a bound."""

import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from billing.providers import PROVIDERS
from billing.rules.languages import Language
from billing.rules.plans import Interval


def _one_line(text: str) -> str:
    """Refuses what is not seen: control and format characters, line breaks, marks that turn the direction of text."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("one line of visible characters, without control or direction marks")
    return text


_Visible = AfterValidator(_one_line)
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:@/-]+$")]
EventId = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[a-z]+#[A-Za-z0-9_.:@/#-]+$")]
PlanId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
FeatureKey = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.:-]*$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
IdempotencyKey = Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=500), _Visible]
UnixTime = Annotated[int, Field(ge=0, le=4_102_444_800, description="Unix seconds, UTC")]
if TYPE_CHECKING:
    ProviderName = str
else:
    ProviderName = Literal[tuple(PROVIDERS)]


class RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CreateCheckoutSession(RequestBody):
    plan_id: PlanId
    provider: ProviderName | None = Field(None, description="Default: the first provider on offer")
    user_id: Id | None = Field(None, description="Only the caller's own; anything else is 403")
    quote_id: Id | None = Field(None, description="The terms that were shown; others by now are a 409 `quote_outdated`")
    accept_overlap: bool = Field(
        False, description="After a 409 `overlap`: the buyer knows that both will be paid, side by side"
    )
    gift: bool = Field(False, description="Buy a voucher for one interval of the plan, paid once; it renews nothing")


class AllowanceValue(RequestBody):
    limit: int = Field(ge=1, le=1_000_000_000)
    per: Literal["month", "billing_period"] = "month"


class CreditsValue(RequestBody):
    credits: int = Field(ge=1, le=1_000_000_000)


FeatureGrant = bool | Annotated[int, Field(ge=0, le=1_000_000_000)] | AllowanceValue | CreditsValue


class OfferBody(RequestBody):
    """What the plans of one offer (its month, its year) have in common."""

    name: Annotated[str, _Visible] = Field(min_length=1, max_length=80)
    description: Annotated[str, _Visible] = Field("", max_length=500)
    features: dict[FeatureKey, FeatureGrant] = Field(max_length=100)
    tier: Annotated[str, _Visible] = Field(
        "", max_length=40, description="Joins the monthly and the annual plan of one offer"
    )
    rank: int = Field(0, ge=0, le=1000, description="Higher is more: decides what is an upgrade")
    group: PlanId = Field("main", description="Plans of one group replace each other")
    trial_days: int = Field(0, ge=0, le=730)
    grace_days: int = Field(7, ge=0, le=30)
    optimistic: bool = Field(False, description="Bitcoin: open at the first sight of the payment")
    after_purchase: bool = Field(False, description="Free plan: only for those who have bought or been given something")
    recommended: bool = Field(False, description="Pointed out on the price list")
    position: int = Field(0, ge=0, le=1000, description="Place on the price list; of one place the lower rank is first")


class PriceBody(RequestBody):
    """What each plan of an offer has of its own. `price_cents` is in the currency's minor unit (yen have none: 500 is
    ¥500)."""

    price_cents: int = Field(ge=0, le=99_999_999)
    currency: Currency
    interval: Interval
    duration_days: int | None = Field(None, ge=1, le=36_500, description="Only for `once`; absent: for good")
    status: Literal["active", "hidden"] = "active"
    provider_plan_ids: dict[ProviderName, Id] = Field(default_factory=dict)


class PlanBody(OfferBody, PriceBody):
    """A plan as an admin writes it."""


class CreatePlan(PlanBody):
    plan_id: PlanId


class UpdatePlan(PlanBody):
    """A new version. `version` is the one it was edited from: a newer one in between is a 409."""

    version: int = Field(ge=1)


class OfferPrice(PriceBody):
    plan_id: PlanId
    version: int = Field(0, ge=0, description="The one it was edited from; 0: a new plan")


class SaveOffer(OfferBody):
    """The plans of one offer, written at once, so that they cannot drift apart."""

    prices: list[OfferPrice] = Field(min_length=1, max_length=6)


class ArchivePlan(RequestBody):
    anyway: bool = Field(False, description="Also when it is the free plan that everybody has: all lose what it gives")


class MoveSubscribers(RequestBody):
    """Whom to move to the newest version, and how fast. A larger `percent` later goes on with more of them."""

    to_version: int = Field(ge=2, description="The newest version: a newer one by now is a 409")
    percent: int = Field(100, ge=1, le=100, description="Share of the users, always the same ones")
    per_hour: int = Field(200, ge=1, le=2000)
    notice_days: int = Field(14, ge=0, le=90, description="Whose period ends sooner is moved a period later")


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


class ChangeSubscription(RequestBody):
    preview_id: Annotated[str, Field(min_length=1, max_length=2000)]


CancelReason = Literal[
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
]


class CancelSubscription(RequestBody):
    subscription_id: SubscriptionId = None
    at_period_end: bool = True
    reason: CancelReason | None = None
    comment: str | None = Field(
        None, max_length=500, description="Passed to the provider; kept here for 180 days, for whoever runs the shop"
    )


class ResumeSubscription(RequestBody):
    subscription_id: SubscriptionId = None


DryRun = Annotated[bool, Field(description="Only say what it would do")]


class CancelForUser(RequestBody):
    at_period_end: bool = True
    reason: CancelReason | None = None
    dry_run: DryRun = False


class ResumeForUser(RequestBody):
    dry_run: DryRun = False


class PreviewChangeForUser(RequestBody):
    plan_id: PlanId


class GiveDays(RequestBody):
    days: int = Field(ge=1, le=366)
    plan_id: PlanId | None = Field(None, description="Default: the plan that the customer has; 409 without one")
    reason: Reason
    dry_run: DryRun = False
    idempotency_key: IdempotencyKey


class WriteNote(RequestBody):
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class SignInWithNostr(RequestBody):
    """The signed NIP-98 event travels in the Authorization header; its payload hash covers this body."""

    link_to: str | None = Field(
        None, max_length=4096, description="A session token of the account that this key shall open from now on"
    )


class RefreshSession(RequestBody):
    refresh_token: str = Field(min_length=20, max_length=200)


class GrantFeatures(RequestBody):
    features: dict[FeatureKey, FeatureGrant] = Field(min_length=1, max_length=20)
    reason: Reason
    expires_at: UnixTime | None = None


class RefundPayment(RequestBody):
    provider: ProviderName
    payment_id: Id
    amount_cents: int | None = Field(None, ge=1, description="Absent: all that is left")
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] = "requested_by_customer"
    dry_run: bool = Field(False, description="Only say what it would do to the user's access")
    undecided: bool = Field(False, description="Only while nobody has accepted the invoice; 409 already_accepted else")
    idempotency_key: IdempotencyKey


class RedriveEvents(RequestBody):
    event_ids: list[EventId] | None = Field(None, min_length=1, max_length=100, description="Absent: all, 100 at once")
    dry_run: bool = True


class SetAside(RequestBody):
    """Events that will never be ours."""

    event_ids: list[EventId] = Field(min_length=1, max_length=25)
    reason: Reason


class TakeBack(RequestBody):
    event_ids: list[EventId] = Field(min_length=1, max_length=25)


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


class RefundInvoice(RequestBody):
    amount_cents: int | None = Field(None, ge=1, description="Absent: all that is left")
    surplus: bool = Field(False, description="Only an overpayment; access stays as it is")
    accepted: bool = Field(False, description="Also when somebody has accepted the invoice; 409 already_accepted else")
    idempotency_key: IdempotencyKey


_Url = Annotated[str, Field(min_length=1, max_length=500, description="https, of the public internet")]
_Description = Annotated[str, Field(max_length=200), _Visible]
_EventTypes = Annotated[
    list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=50, description="Names of `event_types`")
]


class CreateEndpoint(RequestBody):
    url: _Url
    description: _Description = ""
    event_types: _EventTypes


class ChangeEndpoint(RequestBody):
    """What is left out stays."""

    url: _Url | None = None
    description: _Description | None = None
    event_types: _EventTypes | None = None
    state: Literal["enabled", "paused"] | None = None


class ResendEvents(RequestBody):
    """One delivery, or everything that was taken in since a moment of the last 30 days."""

    delivery_id: Annotated[str, Field(max_length=64, pattern=r"^[0-9]{12}\.evt_[0-9a-f]{32}$")] | None = None
    since: UnixTime | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "ResendEvents":
        if (self.delivery_id is None) == (self.since is None):
            raise ValueError("either delivery_id or since")
        return self


class SetFlag(RequestBody):
    percent: int = Field(ge=0, le=100)
    allow: list[Id] = Field(max_length=200, description="User ids that have it whatever the percentage")
    version: int = Field(ge=0, description="Of the flags as you saw them; 409 when it is not the newest")


VoucherCode = Annotated[
    str, Field(min_length=1, max_length=60, description="As it was typed: spaces, dashes and case count for nothing")
]


class RedeemVoucher(RequestBody):
    code: VoucherCode


class VoucherCredits(RequestBody):
    feature: FeatureKey
    amount: int = Field(ge=1, le=1_000_000)


class MakeVouchers(RequestBody):
    """Either a plan, for so many of its intervals, or credits of a feature. `sold_cents`: what each is sold for, past
    every provider; it is booked when one is redeemed."""

    plan_id: PlanId | None = None
    intervals: int = Field(1, ge=1, le=36)
    credits: VoucherCredits | None = None
    count: int = Field(ge=1, le=1000)
    sold_cents: int = Field(0, ge=0, le=99_999_999)
    currency: Currency | Literal[""] = Field("", description="Of `sold_cents`; of a plan its own")
    expires_at: UnixTime | None = Field(None, description="From then on they cannot be redeemed any more")
    note: Reason
    idempotency_key: IdempotencyKey


class RevokeVouchers(RequestBody):
    """What is unused, of the numbers named or of all. `used`: also what was redeemed; whoever has it loses it."""

    numbers: list[Annotated[int, Field(ge=1, le=1000)]] | None = Field(None, min_length=1, max_length=1000)
    used: bool = False
    returned: bool = Field(False, description="What they were sold for was given back: booked where one was redeemed")
    reason: Reason
