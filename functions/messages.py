"""/billing/messages: reminders by direct message to a buyer's Nostr key: ask, confirm, show, change, test, remove."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import AskForMessages, ConfirmMessages, SetMessages
from billing.api.http import Request, Response, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.selling.messages import Chosen
from billing.wiring import Wiring

wire = Wiring(os.environ)
messages = wire.messages


def show(request: Request) -> Mapping[str, Any]:
    return messages.show(request.own_user(), request.now)


def ask(request: Request) -> Mapping[str, Any]:
    body = request.parse(AskForMessages)
    chosen = Chosen(days=body.days, language=body.language)
    return messages.ask(request.own_user(), body.key, chosen, request.now)


def confirm(request: Request) -> Mapping[str, Any]:
    return messages.confirm(request.own_user(), request.parse(ConfirmMessages).code, request.now)


def test(request: Request) -> Mapping[str, Any]:
    return messages.test(request.own_user(), request.now)


def change(request: Request) -> Mapping[str, Any]:
    body = request.parse(SetMessages)
    return messages.set(request.own_user(), Chosen(days=body.days, language=body.language), request.now)


def remove(request: Request) -> Response:
    messages.remove(request.own_user())
    return Response(None, 204)


handler = endpoint(
    limited(
        {
            "GET /billing/messages": show,
            "POST /billing/messages": ask,
            "POST /billing/messages/confirm": confirm,
            "POST /billing/messages/test": test,
            "PUT /billing/messages": change,
            "DELETE /billing/messages": remove,
        },
        wire.limits,
    ),
    Log(),
)
