"""POST /billing/track: count a funnel step; no cookie, identity or address is read or stored."""

import os

from billing.api.buyer_requests import TrackEvent
from billing.api.http import Request, Response, endpoint
from billing.log import Log
from billing.reporting.funnel import track
from billing.wiring import Wiring

metrics = Wiring(os.environ).metrics


def count(request: Request) -> Response:
    track(metrics, request.parse(TrackEvent), request.now)
    return Response(None, 204)


handler = endpoint({"POST /billing/track": count}, Log())
