"""Every hour: book prepaid terms that have started or run out, so that revenue and churn are of today."""

import os
import time
from typing import Any

from billing.aws import Aws
from billing.log import Log
from billing.reporting.lapsed_terms import book_lapsed_terms
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore

# From each partition of the index; what is left over is booked an hour later.
LIMIT = 250

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)
due = DueStore(aws, settings.accounts_table)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    booked = book_lapsed_terms(accounts, plans, due, int(time.time()), LIMIT)
    logger.info("booked", extra={"accounts": booked})
    return {"booked": booked}
