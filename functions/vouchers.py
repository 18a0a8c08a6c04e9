"""/billing/vouchers and /billing/gifts: redeem a voucher, and what was bought for others."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import RedeemVoucher
from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
vouchers = wire.vouchers


def preview(request: Request) -> Mapping[str, Any]:
    return vouchers.preview(request.own_user(), request.parse(RedeemVoucher).code, request.now)


def redeem(request: Request) -> Mapping[str, Any]:
    return vouchers.redeem(request.own_user(), request.parse(RedeemVoucher).code, request.now)


def gifts(request: Request) -> Mapping[str, Any]:
    return vouchers.gifts(request.queried_user(), request.now)


handler = endpoint(
    limited(
        {
            "POST /billing/vouchers/preview": preview,
            "POST /billing/vouchers/redeem": redeem,
            "GET /billing/gifts": gifts,
        },
        wire.limits,
    ),
    Log(),
)
