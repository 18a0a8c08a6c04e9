"""Every hour: compare our records with each provider's, one round a day, continuing where the last run stopped."""

import os
import time
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.intake.applier import Applier
from billing.intake.processing import Processor
from billing.intake.reconcile import Reconciler
from billing.log import Log
from billing.providers import PROVIDERS, Clients
from billing.selling.aftercare import Aftercare
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.notes import NoteStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.progress import ProgressStore

ROUND_SECONDS = 20 * 3600
# Events are looked for this far back: longer than a provider itself tries to deliver one.
LOOK_BACK = 4 * 86_400
# Milliseconds kept at the end, to finish a page and note it.
_MARGIN = 60_000

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table, settings.payment_events_table)
plans = PlanStore(aws, settings.plans_table)
client = Clients(settings)
events = PaymentEventStore(aws, settings.payment_events_table)
applier = Applier(accounts, plans, client)
logger = Log()
notes = NoteStore(aws, settings.accounts_table)
aftercare = Aftercare(accounts, plans, applier, client, settings.optional("DOUBLE_SUBSCRIPTIONS", "refund"), logger)

processor = Processor(
    applier, events, livemode=settings.livemode, aftercare=aftercare.settle, keep_comment=notes.add_comment
)
progress = ProgressStore(aws, settings.accounts_table)
reconcilers = {
    name: Reconciler(name, client, accounts, plans, events, applier, processor, progress, aftercare.settle, logger)
    for name in settings.providers
    if PROVIDERS[name].events
}


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deadline.begin(context)
    now = int(time.time())
    waiting = [name for name in reconcilers if now - progress.finished_at(name) >= ROUND_SECONDS]
    if not waiting:
        logger.info("round ended", extra={"round": "reconcile"})
        return {}
    report = reconcilers[waiting[0]].run(
        now,
        since=now - LOOK_BACK,
        dry_run=False,
        out_of_time=lambda: context.get_remaining_time_in_millis() < _MARGIN,
    )
    counts = {
        "checked": report.checked,
        "events": report.events,
        "found": len(report.findings),
        "repaired": sum(finding.repaired for finding in report.findings),
        "finished": int(report.finished),
    }
    logger.info("reconciled", extra=counts)
    logger.info("round ended", extra={"round": "reconcile"})
    return counts
