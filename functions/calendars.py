"""/billing/calendar: a buyer's calendar as a file, and as a feed that whoever has its address may read."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, Response, chosen, endpoint, unless_known
from billing.identity.call_limits import limited
from billing.log import Log
from billing.rules.languages import LANGUAGES, language_of
from billing.wiring import Wiring

CALENDAR = {"content-type": "text/calendar; charset=utf-8"}
# As long as a closed feature may stay open elsewhere; to the reader alone, so that no cache outlives a revoked address.
KEPT = {"cache-control": "private, max-age=300", "x-robots-tag": "noindex"}

wire = Wiring(os.environ)
calendars = wire.calendars


def show(request: Request) -> Mapping[str, Any]:
    return calendars.show(request.own_user())


def make(request: Request) -> Mapping[str, Any]:
    # A feed is read often, and made once: reading starts without it.
    from billing.api.buyer_requests import MakeCalendarFeed

    language = request.parse(MakeCalendarFeed).language
    return calendars.make(request.own_user(), language, request.now)


def revoke(request: Request) -> Response:
    calendars.revoke(request.own_user())
    return Response(None, 204)


def file(request: Request) -> Mapping[str, str]:
    language = language_of(chosen(request.only("language"), "language", *LANGUAGES))
    return calendars.file(request.own_user(), language, request.now)


def feed(request: Request) -> Response:
    text = calendars.feed(request.path["file"], request.now)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    return unless_known(request, tag, lambda: text, {**CALENDAR, **KEPT})


handler = endpoint(
    limited(
        {
            "GET /billing/calendar": show,
            "POST /billing/calendar/feed": make,
            "DELETE /billing/calendar/feed": revoke,
            "GET /billing/calendar/file": file,
            "GET /billing/calendar/feed/{file}": feed,
        },
        wire.limits,
    ),
    Log(),
)
