"""Every minute: look again at the bitcoin invoices that are due, and at refunds of which nobody knows the end."""

import os
import time
from typing import Any

from billing.aws import Aws
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import Clients
from billing.selling.invoices import Poller
from billing.selling.refunds import Refunds
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore

# From each partition of the index: what one round can read before the next one begins.
LIMIT = 25

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
client = Clients(settings)
plans, due = PlanStore(aws, settings.plans_table), DueStore(aws, settings.accounts_table)
applier = Applier(accounts, plans, client)
logger = Log()
poller = Poller(accounts, due, applier, client, logger)
refunds = Refunds(accounts, plans, applier, client)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    now = int(time.time())
    polled = poller.poll(now, LIMIT)
    settled = refunds.settle(due, now, LIMIT, logger)
    counts = {"read": polled.read, "changed": polled.changed, "failed": polled.failed, "refunds_settled": settled}
    logger.info("polled", extra=counts)
    return counts
