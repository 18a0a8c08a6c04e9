"""The queue's consumer: each verified delivery gets its one effect."""

import os
import time
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.intake.applier import Applier
from billing.intake.batch import FIRST_WAIT, Batch
from billing.intake.processing import Processor
from billing.log import Log
from billing.providers import Clients
from billing.selling.aftercare import Aftercare
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table, settings.payment_events_table)
plans = PlanStore(aws, settings.plans_table)
client = Clients(settings)
applier = Applier(accounts, plans, client, moves=True)
events = PaymentEventStore(aws, settings.payment_events_table)
logger = Log()
aftercare = Aftercare(accounts, plans, applier, client, settings.optional("DOUBLE_SUBSCRIPTIONS", "refund"), logger)


def keep_comment(user_id: str, subscription_id: str, text: str, at: int, now: int) -> None:
    from billing.store.notes import NoteStore  # few comments come: do not load it at the start

    NoteStore(aws, settings.accounts_table).add_comment(user_id, subscription_id, text, at, now)


processor = Processor(
    applier, events, livemode=settings.livemode, aftercare=aftercare.settle, keep_comment=keep_comment
)
batch = Batch(
    *(processor, aws, settings.queue_url, settings.required("PAYMENT_EVENTS_DLQ_URL"), logger),
    first_wait=settings.integer("FIRST_WAIT_SECONDS", FIRST_WAIT),
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    deadline.begin(context)
    return batch.process(event["Records"], int(time.time()))
