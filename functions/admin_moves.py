"""/admin/plans/{plan_id}/move: move existing subscribers to the newest version of their plan, stop, undo."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.moves import AdminMoves
from billing.api.admin_requests import MoveSubscribers
from billing.api.http import Request, endpoint
from billing.api.views import plan_move
from billing.catalogue.effect import move_effect
from billing.log import Log
from billing.rules.history import By
from billing.wiring import Wiring

wire = Wiring(os.environ)
metrics, plans, store = wire.metrics, wire.plans, wire.moves
moves = AdminMoves(store, plans, wire.settings.providers, wire.audit)


def show(request: Request) -> Mapping[str, Any]:
    return _shown(request.path["plan_id"])


def start(request: Request) -> Mapping[str, Any]:
    wanted = request.parse(MoveSubscribers)
    moves.start(request.path["plan_id"], **wanted.model_dump(), by=_by(request, "move_subscribers"), now=request.now)
    return _shown(request.path["plan_id"])


def stop(request: Request) -> Mapping[str, Any]:
    moves.stop(request.path["plan_id"], _by(request, "stop_move"), request.now)
    return _shown(request.path["plan_id"])


def undo(request: Request) -> Mapping[str, Any]:
    moves.undo(request.path["plan_id"], _by(request, "undo_move"), request.now)
    return _shown(request.path["plan_id"])


def _by(request: Request, action: str) -> By:
    return By(actor=request.user_id, action=action, subject=request.path["plan_id"])


def _shown(plan_id: str) -> Mapping[str, Any]:
    effects = move_effect(plans, metrics, plan_id)
    return plan_move(plan_id, plans.catalogue().get(plan_id), store.get(plan_id), effects)


handler = endpoint(
    {
        "GET /admin/plans/{plan_id}/move": show,
        "POST /admin/plans/{plan_id}/move": start,
        "POST /admin/plans/{plan_id}/move/stop": stop,
        "POST /admin/plans/{plan_id}/move/undo": undo,
    },
    Log(),
)
