"""Every hour: note the reminders that are due before prepaid time runs out; the stream sends the events."""

import os
import time
from typing import Any

from billing import deadline
from billing.log import Log
from billing.selling.reminders import Reminders
from billing.wiring import Wiring

# From each partition of the index; what is left over is an hour late.
LIMIT = 250

wire = Wiring(os.environ)
reminders = Reminders(wire.accounts, wire.plans, wire.due, wire.settings.reminder_days)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    sent = reminders.send(int(time.time()), LIMIT)
    logger.info("reminded", extra={"sent": sent})
    logger.info("round ended", extra={"round": "send_renewal_reminders"})
    return {"sent": sent}
