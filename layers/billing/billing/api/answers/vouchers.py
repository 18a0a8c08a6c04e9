"""Answers about vouchers and gifts."""

from billing.api.answers.base import FeatureJson, PlanNamed, Response, Time
from billing.api.answers.status import InvoiceState, VoucherView
from billing.rules.plans import Interval
from billing.rules.vouchers import VoucherState


class VoucherOverlap(Response):
    """A plan already paid that overlaps it."""

    plan_name: str
    ends_at: Time | None
    renews: bool


class VoucherGiven(VoucherView):
    """What the voucher gives, or would give, this account. `already`: this account had redeemed it before."""

    already: bool
    entitlements_version: int
    overlap: VoucherOverlap | None


class GiftView(PlanNamed):
    """A voucher bought as a gift. `status` is the payment's; `voucher` is the voucher's state, null while it is unpaid.

    `code` and `redeem_url` are null once it is redeemed. Who redeemed it is never shown.
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
    """Null for card payments."""


class GiftList(Response):
    gifts: list[GiftView]


class VoucherBatch(Response):
    """Vouchers made together: for a number of intervals of a plan version, or for credits (`features`)."""

    batch_id: str
    plan_id: str | None
    plan_name: str | None
    plan_version: int | None
    interval: Interval
    intervals: int
    features: dict[str, FeatureJson]
    count: int
    sold_cents: int
    """The price of each, booked when it is redeemed."""
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
    """The page that redeems it. The code is in the fragment (after #), which browsers do not send to servers."""


class VoucherCodes(VoucherBatch):
    """The codes of vouchers that can still be redeemed."""

    codes: list[VoucherCodeLine]
