"""/admin/endpoints: the webhook endpoints of hosts, and what was delivered to them."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from billing.admin.endpoints import AdminEndpoints
from billing.api.admin_requests import ChangeEndpoint, CreateEndpoint, ResendEvents
from billing.api.http import Call, Request, Response, chosen, endpoint
from billing.log import Log
from billing.outgoing import place_of
from billing.store.outbox import STATES, State
from billing.wiring import Wiring

LIMIT = 50

logger = Log()
wire = Wiring(os.environ, "dynamodb", "sqs")
store, wakes = wire.host_events, wire.wakes(logger)
key = partial(wire.settings.secret, "ENDPOINT_SECRETS_KEY")
endpoints = AdminEndpoints(store, wakes, wire.audit, key, partial(place_of, at_home=wire.settings.at_home))


def show(_: Request) -> Mapping[str, Any]:
    return endpoints.list()


def create(request: Request) -> Response:
    body = request.parse(CreateEndpoint)
    made = endpoints.create(body.url, body.description, body.event_types, admin=request.user_id, now=request.now)
    return Response(made, 201)


def change(request: Request) -> Mapping[str, Any]:
    changes = request.parse(ChangeEndpoint).model_dump(exclude_none=True)
    return endpoints.change(request.path["endpoint_id"], changes, admin=request.user_id, now=request.now)


def act(do: Callable[..., Mapping[str, Any] | None], status: int = 200) -> Call:
    """A call on one endpoint that takes no body."""
    return lambda request: Response(do(request.path["endpoint_id"], admin=request.user_id, now=request.now), status)


def deliveries(request: Request) -> Mapping[str, Any]:
    query = request.only("state", "cursor")
    state = cast(State, chosen(query, "state", *STATES))
    return endpoints.deliveries(request.path["endpoint_id"], state, LIMIT, query.get("cursor"))


def resend(request: Request) -> Response:
    body, of, by, now = request.parse(ResendEvents), request.path["endpoint_id"], request.user_id, request.now
    if body.delivery_id is not None:
        return Response(endpoints.resend(of, body.delivery_id, admin=by, now=now), 202)
    return Response(endpoints.resend_since(of, body.since or 0, admin=by, now=now), 202)


ONE = "/admin/endpoints/{endpoint_id}"
handler = endpoint(
    {
        "GET /admin/endpoints": show,
        "POST /admin/endpoints": create,
        f"PATCH {ONE}": change,
        f"DELETE {ONE}": act(endpoints.delete, 204),
        f"POST {ONE}/secret": act(endpoints.rotate),
        f"POST {ONE}/secret/end-old": act(endpoints.end_old_secret),
        f"POST {ONE}/test": act(endpoints.test, 202),
        f"GET {ONE}/deliveries": deliveries,
        f"POST {ONE}/resend": resend,
    },
    logger,
)
