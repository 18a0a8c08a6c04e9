"""Every minute: find host events that were not delivered, and raise or end the operators' alerts."""

import os
import time
from typing import Any

from billing import deadline
from billing.hosts.outbox import HostEvents
from billing.hosts.rounds import HostEventRound
from billing.log import Log
from billing.wiring import Wiring

logger = Log()
wire = Wiring(os.environ, "dynamodb", "sqs")
store, wakes = wire.host_events, wire.wakes(logger)
dead_letters_url = wire.settings.required("PAYMENT_EVENTS_DLQ_URL")


def dead_letters() -> int:
    name = "ApproximateNumberOfMessages"
    answer = wire.aws.call("sqs", "get_queue_attributes", QueueUrl=dead_letters_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


watch = HostEventRound(store, HostEvents(store, wakes), wakes, wire.audit, wire.events, dead_letters, logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    counts = watch.run(int(time.time()))
    logger.info("round ended", extra={"round": "watch_host_events"})
    return counts
