"""Answers about vouchers and gifts."""

from billing.api.answers.base import FeatureJson, PlanNamed, Response, Time
from billing.api.answers.status import InvoiceState, VoucherView
from billing.rules.plans import Interval
from billing.rules.vouchers import VoucherState


class VoucherOverlap(Response):
    """What is paid already and runs beside it."""

    plan_name: str
    ends_at: Time | None
    renews: bool


class VoucherGiven(VoucherView):
    """What redeeming gives, or would give, this account. `already`: it was redeemed before, by this very account."""

    already: bool
    entitlements_version: int
    overlap: VoucherOverlap | None


class GiftView(PlanNamed):
    """A voucher that was bought. `status` is its payment's, `voucher` its own: null while it is not paid for.

    `code` and `redeem_url` as long as nobody has redeemed it. Who did is not told, to nobody.
    """

    provider: str
    purchase_id: str
    checkout_id: str | None
    status: str
    voucher: VoucherState | None
    code: str | None
    redeem_url: str | None
    amount_cents: int
    currency: str
    created_at: Time
    invoice: InvoiceState | None
    """Null for what was paid by card."""


class GiftList(Response):
    gifts: list[GiftView]


class VoucherBatch(Response):
    """Vouchers made together: of a plan's version for so many of its intervals, or of credits (`features`)."""

    batch_id: str
    plan_id: str | None
    plan_name: str | None
    plan_version: int | None
    interval: Interval
    intervals: int
    features: dict[str, FeatureJson]
    count: int
    sold_cents: int
    """What each was sold for; booked when it is redeemed."""
    currency: str | None
    expires_at: Time | None
    note: str
    made_at: Time
    made_by: str


class VoucherBatchList(Response):
    batches: list[VoucherBatch]


class VoucherCounts(Response):
    ready: int
    redeemed: int
    expired: int
    revoked: int


class VoucherLine(Response):
    number: int
    state: VoucherState


class VoucherBatchDetail(VoucherBatch):
    counts: VoucherCounts
    vouchers: list[VoucherLine]


class VouchersRevoked(VoucherBatchDetail):
    revoked: int


class VoucherCodeLine(Response):
    number: int
    code: str
    url: str
    """Opens the page that redeems it. The code stands behind a #, which no server is told."""


class VoucherCodes(VoucherBatch):
    """The codes of what can still be redeemed."""

    codes: list[VoucherCodeLine]
