"""The Accounts stream's consumer for vouchers: one that is given back or disputed ends where it was redeemed."""

import os
import time
from typing import Any

from billing import deadline
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
following, logger = wire.following, Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One that cannot be followed fails the batch: Lambda halves it, tries again, and sets it aside in the end. Nothing
    is written twice."""
    deadline.begin(context)
    for record in event["Records"]:
        voucher_id = record["dynamodb"]["Keys"]["user_id"]["S"].removeprefix("voucher#")
        changed = following.follow(voucher_id, int(time.time()))
        logger.info("voucher followed", extra={"changed": changed})
    return {"batchItemFailures": []}
