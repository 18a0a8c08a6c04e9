"""Request bodies of those who work at the shop."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from billing.api.requests import (
    CancelReason,
    Currency,
    FeatureKey,
    Id,
    IdempotencyKey,
    PlanId,
    ProviderName,
    Reason,
    RequestBody,
    UnixTime,
    Visible,
)
from billing.rules.plans import Interval

EventId = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[a-z]+#[A-Za-z0-9_.:@/#-]+$")]


class AllowanceValue(RequestBody):
    limit: int = Field(ge=1, le=1_000_000_000)
    per: Literal["month", "billing_period"] = "month"


class CreditsValue(RequestBody):
    credits: int = Field(ge=1, le=1_000_000_000)


FeatureGrant = bool | Annotated[int, Field(ge=0, le=1_000_000_000)] | AllowanceValue | CreditsValue


class OfferBody(RequestBody):
    """What the plans of one offer (its month, its year) have in common."""

    name: Annotated[str, Visible] = Field(min_length=1, max_length=80)
    description: Annotated[str, Visible] = Field("", max_length=500)
    features: dict[FeatureKey, FeatureGrant] = Field(max_length=100)
    tier: Annotated[str, Visible] = Field(
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


class RefundInvoice(RequestBody):
    amount_cents: int | None = Field(None, ge=1, description="Absent: all that is left")
    surplus: bool = Field(False, description="Only an overpayment; access stays as it is")
    accepted: bool = Field(False, description="Also when somebody has accepted the invoice; 409 already_accepted else")
    idempotency_key: IdempotencyKey


_Url = Annotated[str, Field(min_length=1, max_length=500, description="https, of the public internet")]
_Description = Annotated[str, Field(max_length=200), Visible]
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
