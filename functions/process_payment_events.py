"""The queue's consumer: each verified delivery gets its one effect."""

import os
import time
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.intake.applier import Applier
from billing.intake.batch import Batch
from billing.intake.processing import Processor
from billing.log import Log
from billing.providers import Clients
from billing.selling.double_subscriptions import Doubles
from billing.selling.failed_starts import FailedStarts
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table, settings.payment_events_table)
plans = PlanStore(aws, settings.plans_table)
client = Clients(settings)
applier = Applier(accounts, plans, client)
events = PaymentEventStore(aws, settings.payment_events_table)
logger = Log()
doubles = Doubles(accounts, plans, applier, client, settings.optional("DOUBLE_SUBSCRIPTIONS", "refund"), logger)
failed_starts = FailedStarts(accounts, applier, client)


def look_after(user_id: str, now: int) -> None:
    """A subscription that will never be paid is no double of another."""
    failed_starts.settle(user_id, now)
    doubles.settle(user_id, now)


processor = Processor(applier, events, livemode=settings.livemode, settle_doubles=look_after)
batch = Batch(processor, aws, settings.queue_url, settings.required("PAYMENT_EVENTS_DLQ_URL"), logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    deadline.begin(context)
    return batch.process(event["Records"], int(time.time()))
