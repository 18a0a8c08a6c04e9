"""Every minute: look again at the bitcoin invoices that are due, whatever the webhooks told."""

import os
import time
from typing import Any

from aws_lambda_powertools import Logger

from billing.aws import Aws
from billing.intake.applier import Applier
from billing.providers import Clients
from billing.selling.invoices import Poller
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
applier = Applier(accounts, PlanStore(aws, settings.plans_table), client)
logger = Logger()
poller = Poller(accounts, DueStore(aws, settings.accounts_table), applier, client, logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    polled = poller.poll(int(time.time()), LIMIT)
    counts = {"read": polled.read, "changed": polled.changed, "failed": polled.failed}
    logger.info("polled", extra=counts)
    return counts
