"""A host in plain WSGI: `python wsgi_host.py PORT`, with BILLING_API_URL."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import make_server

from bitsleuth_billing_gate import Gate
from bitsleuth_billing_gate.wsgi import requires_feature

gate = Gate(os.environ["BILLING_API_URL"])


@requires_feature(gate, "tax.enhanced")
def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"everything of the year"]


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
