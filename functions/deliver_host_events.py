"""The queue's consumer for hosts: sends what waits in each lane to its endpoint, in order."""

import json
import os
import time
from functools import partial
from typing import Any

from billing import deadline
from billing.hosts.deliveries import Deliveries
from billing.log import Log
from billing.outgoing import post
from billing.wiring import Wiring

logger = Log()
wire = Wiring(os.environ, "dynamodb", "sqs")
store, wakes = wire.host_events, wire.wakes(logger)
key = partial(wire.settings.secret, "ENDPOINT_SECRETS_KEY")
deliveries = Deliveries(store, wakes, key, partial(post, at_home=wire.settings.at_home), logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    lanes = dict.fromkeys(json.loads(record["body"])["lane"] for record in event["Records"])
    return {"delivered": sum(deliveries.deliver(lane, lambda: int(time.time())) for lane in lanes)}
