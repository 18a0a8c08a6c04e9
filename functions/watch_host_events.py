"""Every minute: what hosts were not told is looked for, and operators are alerted of what stands now."""

import os
import time
from typing import Any

from billing import deadline
from billing.hosts.outbox import HostEvents, Wakes
from billing.hosts.rounds import HostEventRound
from billing.log import Log
from billing.store.host_events import HostEventStore
from billing.wiring import Wiring

logger = Log()
wire = Wiring(os.environ, "dynamodb", "sqs")
store = HostEventStore(wire.aws, wire.settings.required("HOST_EVENTS_TABLE"))
wakes = Wakes(wire.aws, wire.settings.required("HOST_EVENTS_QUEUE_URL"), logger)
dead_letters_url = wire.settings.required("PAYMENT_EVENTS_DLQ_URL")


def dead_letters() -> int:
    name = "ApproximateNumberOfMessages"
    found = wire.aws.call("sqs", "get_queue_attributes", QueueUrl=dead_letters_url, AttributeNames=[name])
    return int(found["Attributes"][name])


watch = HostEventRound(store, HostEvents(store, wakes), wakes, wire.audit, wire.events, dead_letters, logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    found = watch.run(int(time.time()))
    logger.info("round ended", extra={"round": "watch_host_events"})
    return found
