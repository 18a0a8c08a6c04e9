"""A host in plain WSGI: `python wsgi_host.py PORT`, with BILLING_API_URL; BILLING_EVENTS_SECRET closes it at once."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import make_server

from bitsleuth_billing_gate import Gate
from bitsleuth_billing_gate.wsgi import on_billing_event, requires_feature

gate = Gate(os.environ["BILLING_API_URL"])


@requires_feature(gate, "tax.enhanced")
def report(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"everything of the year"]


secrets = os.environ.get("BILLING_EVENTS_SECRET")
events = on_billing_event(gate.receiver(secrets.split(","))) if secrets else report


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return (events if environ["PATH_INFO"] == "/billing/events" else report)(environ, start_response)


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
