"""Every hour: go on with the moves of subscribers to newer versions of their plans, each at its own pace."""

import os
import time
from typing import Any

from billing.aws import Aws
from billing.catalogue.moves import Mover
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import Clients
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.moves import MoveStore
from billing.store.plans import PlanStore

# Milliseconds that are left alone at the end: a subscription that was begun is finished and noted.
_MARGIN = 60_000

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)
client = Clients(settings)
applier = Applier(accounts, plans, client)
mover = Mover(MoveStore(aws, settings.accounts_table), accounts, plans, applier, client, settings.providers)
logger = Log()


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    done = mover.run(int(time.time()), lambda: context.get_remaining_time_in_millis() < _MARGIN)
    for move in done:
        counts = {"moved": move.moved, "waiting": move.waiting, "refused": move.refused, "undone": move.undone}
        logger.info("moved subscribers", extra={"move": move.name, "status": move.status, **counts})
    return {move.name: move.status for move in done}
