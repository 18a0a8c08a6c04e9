"""Every hour: book prepaid terms that have started or run out, so that revenue and churn are current."""

import os
import time
from typing import Any

from billing import deadline
from billing.log import Log
from billing.reporting.lapsed_terms import book_lapsed_terms
from billing.wiring import Wiring

# From each partition of the index; what is left over is booked an hour later.
LIMIT = 250

wire = Wiring(os.environ)
accounts, plans, due = wire.accounts, wire.plans, wire.due
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    booked = book_lapsed_terms(accounts, plans, due, int(time.time()), LIMIT)
    logger.info("booked", extra={"accounts": booked})
    logger.info("round ended", extra={"round": "book_lapsed_terms"})
    return {"booked": booked}
