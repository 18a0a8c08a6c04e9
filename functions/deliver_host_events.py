"""The queue of lanes: what hosts are to be told is told, in order, to whoever answers."""

import json
import os
import time
from functools import partial
from typing import Any

from billing import deadline
from billing.hosts.deliveries import Deliveries
from billing.hosts.outbox import Wakes
from billing.log import Log
from billing.outgoing import post
from billing.store.host_events import HostEventStore
from billing.wiring import Wiring

logger = Log()
wire = Wiring(os.environ, "dynamodb", "sqs")
store = HostEventStore(wire.aws, wire.settings.required("HOST_EVENTS_TABLE"))
wakes = Wakes(wire.aws, wire.settings.required("HOST_EVENTS_QUEUE_URL"), logger)
key = partial(wire.settings.secret, "ENDPOINT_SECRETS_KEY")
deliveries = Deliveries(store, wakes, key, partial(post, at_home=wire.settings.at_home), logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    lanes = dict.fromkeys(json.loads(record["body"])["lane"] for record in event["Records"])
    return {"told": sum(deliveries.deliver(lane, lambda: int(time.time())) for lane in lanes)}
