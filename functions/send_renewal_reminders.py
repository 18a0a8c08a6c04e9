"""Every hour: note the reminders that are due before prepaid time runs out; the stream tells them."""

import os
import time
from typing import Any

from billing.aws import Aws
from billing.log import Log
from billing.selling.reminders import Reminders
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore

# From each partition of the index; what is left over is an hour late.
LIMIT = 250

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
days = [int(part) for part in settings.optional("RENEWAL_REMINDER_DAYS", "7,1").split(",")]
reminders = Reminders(
    AccountStore(aws, settings.accounts_table),
    PlanStore(aws, settings.plans_table),
    DueStore(aws, settings.accounts_table),
    days,
)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    sent = reminders.send(int(time.time()), LIMIT)
    logger.info("reminded", extra={"sent": sent})
    return {"sent": sent}
