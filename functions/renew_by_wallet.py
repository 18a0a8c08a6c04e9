"""Every five minutes: ask the wallets of buyers whose prepaid time ends soon to pay the next term."""

import os
from typing import Any

from billing import deadline
from billing.log import Log
from billing.selling.wallet_renewals import work_off
from billing.wiring import Wiring

# From each partition of the index; what is left over is five minutes late.
LIMIT = 50
# Wallets that are waited for at once. Each worker has connections of its own.
WORKERS = 8

logger = Log()
workers = [Wiring(os.environ, "dynamodb", "kms").wallet_renewals(logger) for _ in range(WORKERS)]


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    done = work_off(workers, LIMIT, logger)
    counts = {"read": done.read, "wallets_asked": done.wallets_asked, "failed": done.failed}
    logger.info("wallets asked", extra=counts)
    logger.info("round ended", extra={"round": "renew_by_wallet"})
    return counts
