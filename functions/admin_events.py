"""/admin/events: payment events, those that failed with the cause, and sending them back."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.events import AdminEvents
from billing.api.http import Request, endpoint
from billing.api.requests import RedriveEvents
from billing.aws import Aws
from billing.intake.dead_letters import DeadLetters
from billing.log import Log
from billing.settings import Settings
from billing.store.audit import AuditLog
from billing.store.payment_events import PaymentEventStore

aws = Aws("dynamodb", "sqs")
settings = Settings(os.environ, aws.fetch_secret)
queue_url, dlq_url = settings.queue_url, settings.required("PAYMENT_EVENTS_DLQ_URL")
events = PaymentEventStore(aws, settings.payment_events_table)
letters = DeadLetters(aws, dlq_url, queue_url, events)
desk = AdminEvents(aws, letters, events, AuditLog(aws, settings.accounts_table), queue_url, dlq_url)


def show(request: Request) -> Mapping[str, Any]:
    query = request.only("status", "cursor")
    return desk.list(query.get("status", "failed"), query.get("cursor"))


def redrive(request: Request) -> Mapping[str, Any]:
    wish = request.parse(RedriveEvents)
    return desk.redrive(wish.event_ids, dry_run=wish.dry_run, admin=request.user_id, now=request.now)


handler = endpoint({"GET /admin/events": show, "POST /admin/events/redrive": redrive}, Log())
