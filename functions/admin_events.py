"""/admin/events: payment events, those that failed with the cause; sending them back, setting them aside."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.event_subjects import Subjects
from billing.admin.events import AdminEvents
from billing.api.admin_requests import RedriveEvents, SetAside, TakeBack
from billing.api.http import Request, endpoint
from billing.intake.dead_letters import DeadLetters
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ, "dynamodb", "sqs")
queue_url, dlq_url = wire.settings.queue_url, wire.settings.required("PAYMENT_EVENTS_DLQ_URL")
letters = DeadLetters(wire.aws, dlq_url, queue_url, wire.events)
subjects = Subjects(wire.accounts, wire.plans)
desk = AdminEvents(wire.aws, letters, wire.events, wire.audit, subjects, queue_url, dlq_url)


def show(request: Request) -> Mapping[str, Any]:
    query = request.only("status", "cursor", "q")
    if "q" in query:
        return desk.find(query["q"].strip())
    return desk.list(query.get("status", "failed"), query.get("cursor"))


def redrive(request: Request) -> Mapping[str, Any]:
    body = request.parse(RedriveEvents)
    return desk.redrive(body.event_ids, dry_run=body.dry_run, admin=request.user_id, now=request.now)


def set_aside(request: Request) -> Mapping[str, Any]:
    body = request.parse(SetAside)
    return desk.set_aside(body.event_ids, body.reason, admin=request.user_id, now=request.now)


def take_back(request: Request) -> Mapping[str, Any]:
    return desk.take_back(request.parse(TakeBack).event_ids, admin=request.user_id, now=request.now)


handler = endpoint(
    {
        "GET /admin/events": show,
        "POST /admin/events/redrive": redrive,
        "POST /admin/events/set-aside": set_aside,
        "POST /admin/events/take-back": take_back,
    },
    Log(),
)
