"""GET /billing/config: what is switched on for whom, how one signs in and pays, and where the seller has pages."""

import os
from typing import Any

from billing.api.http import Request, Response, cacheable, endpoint
from billing.aws import Aws
from billing.log import Log
from billing.rules.times import rfc3339
from billing.settings import Settings, identity_provider, seller_links, sign_in_ways
from billing.store.flags import FlagStore

# Seconds until a change of a flag has reached everybody.
MAX_AGE = 60

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
flags = FlagStore(aws, settings.plans_table)


def show(request: Request) -> Response:
    content: dict[str, Any] = {
        **flags.read().to_json(),
        "providers": settings.providers,
        "sign_in": sign_in_ways(settings),
        "links": seller_links(settings),
        "identity_provider": identity_provider(settings),
    }
    return cacheable(request, content, MAX_AGE, server_time=rfc3339(request.now))


handler = endpoint({"GET /billing/config": show}, Log())
