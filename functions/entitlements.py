"""GET /billing/entitlements and /billing/entitlements/{feature}: what the caller has, and why."""

import os
from typing import Any

from billing.api.http import Request, Response, chosen, endpoint, unless_known
from billing.api.views import entitlement
from billing.aws import Aws
from billing.gate.gate import Gate, known_sources
from billing.gate.statement import TOKEN_SECONDS, Statement
from billing.log import Log
from billing.rules.allowances import Counter, Held, held
from billing.rules.entitlements import Entitlement
from billing.rules.plans import Allowance
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.counters import CounterStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
counters = CounterStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)
gate = Gate(accounts, f"{settings.portal_url}/pricing")


def show_all(request: Request) -> Response:
    user_id = request.queried_user()
    seconds = settings.integer("ENTITLEMENT_TOKEN_SECONDS", TOKEN_SECONDS)
    statement = Statement(accounts, counters, plans.catalogue(), user_id, request.now, seconds)
    return unless_known(request, statement.etag, lambda: _signed(statement))


def _signed(statement: Statement) -> dict[str, Any]:
    from billing.identity.tokens import signer  # a check of one feature signs nothing, and need not load the curve

    return statement.signed(signer(settings))


def check(request: Request) -> dict[str, Any]:
    query, feature = request.only("user_id", "fresh"), request.path["feature"]
    user_id, catalogue = request.own_user(query.get("user_id")), plans.catalogue()
    # Whoever has heard that the account changed asks what it is now, not what the authorizer kept.
    fresh = chosen(query, "fresh", "false", "true") == "true"
    cached = None if fresh else known_sources(request.context)
    opened = gate.check(user_id, feature, catalogue, request.now, cached)
    left = _left(user_id, opened, request.now)
    if left.remaining == 0:  # a cached no is never trusted: more may have been bought since
        left = _left(user_id, gate.check(user_id, feature, catalogue, request.now), request.now)
    if left.quota and left.remaining == 0:
        raise gate.limit_reached(feature, left.quota.allowance, catalogue)
    return {"allowed": True, **entitlement(left)}


def _left(user_id: str, opened: Entitlement, now: int) -> Held:
    counted = isinstance(opened.value, Allowance)
    return held(opened, counters.read(user_id, opened.feature).counter if counted else Counter(), now)


handler = endpoint(
    {"GET /billing/entitlements": show_all, "GET /billing/entitlements/{feature}": check},
    Log(),
)
