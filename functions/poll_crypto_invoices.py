"""Every minute: look again at the bitcoin invoices that are due, and at refunds of which nobody knows the end."""

import os
import time
from typing import Any

from billing import deadline
from billing.log import Log
from billing.selling.invoices import Poller
from billing.wiring import Wiring

# From each partition of the index: what one round can read before the next one begins.
LIMIT = 25

wire = Wiring(os.environ)
logger = Log()
due = wire.due
poller = Poller(wire.accounts, due, wire.applier, wire.client, logger)
refunds = wire.refunds


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    now = int(time.time())
    settled = refunds.settle(due, now, LIMIT, logger)
    polled = poller.poll(now, LIMIT)
    counts = {"read": polled.read, "changed": polled.changed, "failed": polled.failed, "refunds_settled": settled}
    logger.info("polled", extra=counts)
    return counts
