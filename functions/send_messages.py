"""Every quarter of an hour: write to the buyers who asked to be reminded by direct message."""

import os
from typing import Any

from billing import deadline
from billing.log import Log
from billing.wiring import Wiring

# From each partition of the index; what is left over is a quarter of an hour late.
LIMIT = 50

logger = Log()
messages = Wiring(os.environ, "dynamodb", "kms").message_round(logger)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    done = messages.run(LIMIT)
    counts = {"looked": done.looked, "sent": done.sent, "failed": done.failed}
    logger.info("messages sent", extra=counts)
    logger.info("round ended", extra={"round": "send_messages"})
    return counts
