"""/admin/flags: the rollout flags in force, and setting one of them."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.flags import AdminFlags
from billing.api.admin_requests import SetFlag
from billing.api.http import Request, endpoint
from billing.log import Log
from billing.rules.rollout import Flag
from billing.store.flags import FlagStore
from billing.wiring import Wiring

wire = Wiring(os.environ)
flags = AdminFlags(FlagStore(wire.aws, wire.settings.plans_table), wire.audit)


def show(_: Request) -> Mapping[str, Any]:
    return flags.list().to_json()


def set_flag(request: Request) -> Mapping[str, Any]:
    body = request.parse(SetFlag)
    flag = Flag(body.percent, tuple(dict.fromkeys(body.allow)))
    name, admin = request.path["name"], request.user_id
    return flags.set(name, flag, admin=admin, now=request.now, version=body.version).to_json()


handler = endpoint({"GET /admin/flags": show, "PUT /admin/flags/{name}": set_flag}, Log())
