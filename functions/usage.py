"""POST /billing/usage and /billing/usage/batch: use metered features, exactly as often as they were bought."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.usage_bodies import use_feature, use_features
from billing.aws import Aws
from billing.gate.gate import Gate, known_sources
from billing.gate.usage import Usage
from billing.log import Log
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.counters import CounterStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
plans = PlanStore(aws, settings.plans_table)
gate = Gate(AccountStore(aws, settings.accounts_table), f"{settings.portal_url}/pricing")
usage = Usage(gate, CounterStore(aws, settings.accounts_table))


def use(request: Request) -> Mapping[str, Any]:
    call = use_feature(request.body)
    return usage.use(request.own_user(), call, plans.catalogue(), request.now, known_sources(request.context))


def use_all(request: Request) -> Mapping[str, Any]:
    calls = use_features(request.body)
    cached = known_sources(request.context)
    return {"items": usage.use_all(request.own_user(), calls, plans.catalogue(), request.now, cached)}


handler = endpoint({"POST /billing/usage": use, "POST /billing/usage/batch": use_all}, Log())
