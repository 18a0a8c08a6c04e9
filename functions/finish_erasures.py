"""Every quarter of an hour: continue erasures of users that ran out of time."""

import os
import time
from typing import Any

from billing import deadline
from billing.admin.personal_data import finish_erasures
from billing.log import Log
from billing.store.erasure import ErasureStore
from billing.wiring import Wiring

# From each partition of the index.
LIMIT = 25

wire = Wiring(os.environ)
due, erasure = wire.due, ErasureStore(wire.aws, wire.settings.accounts_table, wire.events)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    done, left = finish_erasures(due, erasure, int(time.time()), LIMIT)
    logger.info("erased", extra={"done": done, "left": left})
    logger.info("round ended", extra={"round": "finish_erasures"})
    return {"done": done, "left": left}
