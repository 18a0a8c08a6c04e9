"""Request bodies of admins."""

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
    """The shared fields of the plans of one offer (monthly, annual)."""

    name: Annotated[str, Visible] = Field(min_length=1, max_length=80)
    description: Annotated[str, Visible] = Field("", max_length=500)
    features: dict[FeatureKey, FeatureGrant] = Field(max_length=100)
    tier: Annotated[str, Visible] = Field(
        "", max_length=40, description="Joins the monthly and the annual plan of one offer"
    )
    rank: int = Field(0, ge=0, le=1000, description="A change to a higher rank is an upgrade")
    group: PlanId = Field("main", description="Plans of one group replace each other")
    trial_days: int = Field(0, ge=0, le=730)
    grace_days: int = Field(7, ge=0, le=30)
    optimistic: bool = Field(False, description="Bitcoin: give access before the payment is confirmed")
    after_purchase: bool = Field(False, description="Free plan: only for users who have had a purchase or grant")
    recommended: bool = Field(False, description="Highlighted on the price list")
    position: int = Field(0, ge=0, le=1000, description="Order on the price list; with equal positions, by rank")


class PriceBody(RequestBody):
    """The fields that differ between the plans of an offer. `price_cents` is in the currency's minor unit (yen have
    none: 500 is ¥500)."""

    price_cents: int = Field(ge=0, le=99_999_999)
    currency: Currency
    interval: Interval
    duration_days: int | None = Field(None, ge=1, le=36_500, description="Only for `once`; absent: without end")
    status: Literal["active", "hidden"] = "active"
    provider_plan_ids: dict[ProviderName, Id] = Field(default_factory=dict)


class PlanBody(OfferBody, PriceBody):
    """A plan as written by an admin."""


class CreatePlan(PlanBody):
    plan_id: PlanId


class UpdatePlan(PlanBody):
    """A new version. `version` is the one that was edited; 409 if there is a newer one by now, or it was archived."""

    version: int = Field(ge=1)


class OfferPrice(PriceBody):
    plan_id: PlanId
    version: int = Field(0, ge=0, description="The version that was edited; 0: a new plan")


class SaveOffer(OfferBody):
    """All plans of one offer, written in one call, so that their shared fields stay equal."""

    prices: list[OfferPrice] = Field(min_length=1, max_length=6)


class ArchivePlan(RequestBody):
    anyway: bool = Field(False, description="Also if it is the free plan: then every user loses its features")


class MoveSubscribers(RequestBody):
    """Whom to move to the newest version, and how fast. Send it again with a larger `percent` to move more."""

    to_version: int = Field(ge=2, description="The newest version; 409 if there is a newer one by now")
    percent: int = Field(100, ge=1, le=100, description="Share of the users; a larger one includes the smaller")
    per_hour: int = Field(200, ge=1, le=2000)
    notice_days: int = Field(14, ge=0, le=90, description="If the period ends sooner, the move waits for the next one")


DryRun = Annotated[bool, Field(description="Only preview the effect")]


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
    plan_id: PlanId | None = Field(None, description="Default: the customer's plan; 409 without one")
    reason: Reason
    dry_run: DryRun = False
    idempotency_key: IdempotencyKey


class WriteNote(RequestBody):
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class GrantFeatures(RequestBody):
    features: dict[FeatureKey, FeatureGrant] = Field(min_length=1, max_length=20)
    reason: Reason
    expires_at: UnixTime | None = None
    idempotency_key: IdempotencyKey | None = Field(None, description="The same call again gives nothing more")


class RefundPayment(RequestBody):
    provider: ProviderName
    payment_id: Id
    amount_cents: int | None = Field(None, ge=1, description="Absent: all that is left")
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] = "requested_by_customer"
    dry_run: bool = Field(False, description="Only preview the effect on the user's access")
    undecided: bool = Field(False, description="409 already_accepted if the invoice has been accepted")
    idempotency_key: IdempotencyKey


class RedriveEvents(RequestBody):
    event_ids: list[EventId] | None = Field(None, min_length=1, max_length=100, description="Absent: all, 100 at once")
    dry_run: bool = True


class SetAside(RequestBody):
    """Events that will never belong to a user of ours."""

    event_ids: list[EventId] = Field(min_length=1, max_length=25)
    reason: Reason


class TakeBack(RequestBody):
    event_ids: list[EventId] = Field(min_length=1, max_length=25)


class RefundInvoice(RequestBody):
    amount_cents: int | None = Field(None, ge=1, description="Absent: all that is left")
    surplus: bool = Field(False, description="Only the overpayment; access does not change")
    accepted: bool = Field(False, description="Allow it for an accepted invoice; else that is a 409 already_accepted")
    idempotency_key: IdempotencyKey


_Url = Annotated[str, Field(min_length=1, max_length=500, description="https, with a public address")]
_Description = Annotated[str, Field(max_length=200), Visible]
_EventTypes = Annotated[
    list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=50, description="Names of `event_types`")
]


class CreateEndpoint(RequestBody):
    url: _Url
    description: _Description = ""
    event_types: _EventTypes


class ChangeEndpoint(RequestBody):
    """Absent fields stay as they are."""

    url: _Url | None = None
    description: _Description | None = None
    event_types: _EventTypes | None = None
    state: Literal["enabled", "paused"] | None = None
    version: int | None = Field(
        None, ge=1, description="The version that was edited; 409 if there is a newer one by now"
    )


class ResendEvents(RequestBody):
    """One delivery, or all events since a time within the last 30 days."""

    delivery_id: Annotated[str, Field(max_length=64, pattern=r"^[0-9]{12}\.evt_[0-9a-f]{32}$")] | None = None
    since: UnixTime | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "ResendEvents":
        if (self.delivery_id is None) == (self.since is None):
            raise ValueError("either delivery_id or since")
        return self


class SetFlag(RequestBody):
    percent: int = Field(ge=0, le=100)
    allow: list[Id] = Field(max_length=200, description="User ids that have the flag regardless of `percent`")
    version: int = Field(ge=0, description="The version of the flags that was edited; 409 if there is a newer one")


class VoucherCredits(RequestBody):
    feature: FeatureKey
    amount: int = Field(ge=1, le=1_000_000)


class MakeVouchers(RequestBody):
    """Vouchers for a number of intervals of a plan, or for credits of a feature. `sold_cents`: the price of each if
    sold outside the providers, booked when it is redeemed."""

    plan_id: PlanId | None = None
    intervals: int = Field(1, ge=1, le=36)
    credits: VoucherCredits | None = None
    count: int = Field(ge=1, le=1000)
    sold_cents: int = Field(0, ge=0, le=99_999_999)
    currency: Currency | Literal[""] = Field("", description="Of `sold_cents`; for a plan, its currency")
    expires_at: UnixTime | None = Field(None, description="They cannot be redeemed from then on")
    note: Reason
    idempotency_key: IdempotencyKey


class RevokeVouchers(RequestBody):
    """Revoke the unused vouchers of `numbers`, default all. `used`: redeemed ones too; their users lose access."""

    numbers: list[Annotated[int, Field(ge=1, le=1000)]] | None = Field(None, min_length=1, max_length=1000)
    used: bool = False
    returned: bool = Field(False, description="Their price was paid back; booked for redeemed ones")
    reason: Reason
