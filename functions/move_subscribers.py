"""Every hour: go on with the moves of subscribers to newer versions of their plans, each at its own pace."""

import os
import time
from typing import Any

from billing import deadline
from billing.catalogue.moves import Mover
from billing.log import Log
from billing.wiring import Wiring

# Milliseconds kept at the end, to finish a subscription that was begun and note it.
_MARGIN = 60_000

wire = Wiring(os.environ)
mover = Mover(wire.moves, wire.accounts, wire.plans, wire.applier, wire.client, wire.settings.providers)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    deadline.begin(context)
    done = mover.run(int(time.time()), lambda: context.get_remaining_time_in_millis() < _MARGIN)
    for move in done:
        counts = {"moved": move.moved, "waiting": move.waiting, "refused": move.refused, "undone": move.undone}
        logger.info("moved subscribers", extra={"move": move.name, "status": move.status, **counts})
    logger.info("round ended", extra={"round": "move_subscribers"})
    return {move.name: move.status for move in done}
