"""The queue's consumer: each verified delivery gets its one effect."""

import os
import time
from typing import Any

from aws_lambda_powertools import Logger

from billing.applier import Applier
from billing.aws import Aws
from billing.processing import Processor, process_batch
from billing.providers import Clients
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table, settings.payment_events_table)
applier = Applier(accounts, PlanStore(aws, settings.plans_table), Clients(settings))
events = PaymentEventStore(aws, settings.payment_events_table)
processor = Processor(applier, events, livemode=settings.livemode)
logger = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return process_batch(processor, event["Records"], int(time.time()), logger)
