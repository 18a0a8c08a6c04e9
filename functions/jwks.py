"""GET /.well-known/jwks.json: the keys that verify our tokens."""

import os
from typing import Any

from billing.api.http import Request, Response, cacheable, endpoint
from billing.aws import Aws
from billing.identity.tokens import verifier
from billing.log import Log
from billing.settings import Settings

# A new key is published this long before it signs: see the rotation in docs/tokens.md.
MAX_AGE = 300

aws = Aws()
settings = Settings(os.environ, aws.fetch_secret)


def show(request: Request) -> Response:
    keys: dict[str, Any] = verifier(settings).jwks()
    return cacheable(request, keys, MAX_AGE)


handler = endpoint({"GET /.well-known/jwks.json": show}, Log())
