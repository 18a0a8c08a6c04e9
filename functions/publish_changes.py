"""The Accounts stream's consumer: committed changes become rollups, lines of the customers' list, and domain events."""

import os
import time
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.hosts.outbox import HostEvents, Wakes
from billing.log import Log
from billing.reporting.publishing import Changes
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.customers import CustomerIndex
from billing.store.metrics import MetricsStore
from billing.store.outbox import Outbox

aws = Aws("dynamodb", "events")
settings = Settings(os.environ, aws.fetch_secret)
metrics = MetricsStore(aws, settings.metrics_table, settings.accounts_table)
customers = CustomerIndex(aws, settings.accounts_table, AccountStore(aws, settings.accounts_table))
set_aside_url = settings.required("CHANGES_DLQ_URL")
logger = Log()
wakes = Wakes(aws, settings.required("HOST_EVENTS_QUEUE_URL"), logger)
hosts = HostEvents(Outbox(aws, settings.required("HOST_EVENTS_TABLE")), wakes)
changes = Changes(aws, settings.required("EVENT_BUS"), metrics, customers, hosts, set_aside_url, logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    deadline.begin(context)
    return changes.publish(event["Records"], int(time.time()))
