"""GET /billing/entitlements and /billing/entitlements/{feature}: what the caller has, and why."""

import os
from typing import Any

from aws_lambda_powertools import Logger

from billing.aws import Aws
from billing.gate import Gate, known_sources
from billing.http import Request, endpoint
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.views import entitlement, entitlement_list

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)
gate = Gate(accounts, f"{settings.portal_url}/pricing")


def show_all(request: Request) -> dict[str, Any]:
    user_id = request.own_user(request.query.get("user_id"))
    snapshot = accounts.snapshot(user_id, consistent=True)
    return entitlement_list(user_id, snapshot.version, snapshot.sources, plans.catalogue(), request.now)


def check(request: Request) -> dict[str, Any]:
    user_id = request.own_user(request.query.get("user_id"))
    known = known_sources(request.context)
    found = gate.check(user_id, request.path["feature"], plans.catalogue(), request.now, known)
    return {"allowed": True, **entitlement(found)}


handler = endpoint(
    {"GET /billing/entitlements": show_all, "GET /billing/entitlements/{feature}": check},
    Logger(),
)
